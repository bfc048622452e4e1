"""From folders in their original layout to clip tables and batches of audio."""
