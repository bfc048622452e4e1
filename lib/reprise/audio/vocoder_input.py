"""The mel spectrogram that the singing vocoders read."""

from torch import Tensor

from reprise.audio.features import mel_spectrogram

__all__ = ["log_mel"]

FLOOR = 1e-5


def log_mel(
    y: Tensor,
    *,
    sample_rate: float = 24000,
    n_fft: int = 1024,
    hop_length: int = 240,
    n_mels: int = 80,
    center: bool = False,
) -> Tensor:
    r"""Base-10 logarithm of mel magnitudes, time before frequency.

    Parameters
    ----------
    y : Tensor [shape=(batch, time)], float32 or float64
    sample_rate : float, Hz
    n_fft, hop_length : int, samples
    n_mels : int
    center : bool
        False, as in the authors' code: frame *t* covers the samples from ``t * hop_length`` on, looks ahead of its
        block, and about four frames are missing at the end. True: frame *t* is centred on ``t * hop_length`` and the
        last one, which begins no block, is left out.

    Returns
    -------
    Tensor [shape=(batch, n_frames, n_mels)], ≥ −5
        :math:`\log_{10} \max(M, 10^{-5})`. Without centring ``n_frames = 1 + (time - n_fft) // hop_length``, with it
        ``time // hop_length``.

    Raises
    ------
    ValueError
        If the clips are too short.

    Notes
    -----
    Not normalised: a quieter recording is another input, and the vocoders are sensitive to it.
    Paper: the code of Wu et al. 2022. Notebook: 04_sawsing.ipynb.
    """
    mel = mel_spectrogram(
        y,
        sample_rate=sample_rate,
        n_fft=n_fft,
        hop_length=hop_length,
        n_mels=n_mels,
        power=1.0,
        center=center,
        pad_mode="reflect",
    )
    if center:
        mel = mel[..., : y.shape[-1] // hop_length]
    return mel.clamp(min=FLOOR).log10().transpose(1, 2).contiguous()
