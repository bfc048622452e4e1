#!/usr/bin/env bash
# Regenerate every table, figure and verdict:
#
#   ./run_all.sh                                  all papers, small synthetic data, minutes
#   ./run_all.sh --profile demo 01                one paper at class-room scale
#   ./run_all.sh --profile paper --data DIR 01    as published, on the real data set
#   ./run_all.sh VERB [ARGUMENT]...               setup | test | lab | plan | scorecard | data | vocode | embed | clean | run
#   ./run_all.sh VERB --help
#
# The first call makes the environment in .venv (a few minutes, 6 GB); later calls start at once. An active virtual or
# conda environment that has the package is used instead, and so is the interpreter that REPRISE_PYTHON names.

set -euo pipefail

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
venv=$root/.venv
stamp=$venv/.reprise-ready
building=$venv/.reprise-building
log=$root/.cache/setup.log
needed_gb=${REPRISE_DISK_GB:-9}
uv_version=0.13.9

# With glibc's defaults every large tensor is mapped and unmapped on each step, and most of a training step on the CPU
# is spent on page faults: keeping the memory halves the time per clip (measured: 49 -> 24 ms).
export MALLOC_MMAP_THRESHOLD_="${MALLOC_MMAP_THRESHOLD_:-8000000000}"
export MALLOC_TRIM_THRESHOLD_="${MALLOC_TRIM_THRESHOLD_:-16000000000}"

say() { printf 'run_all.sh: %s\n' "$*" >&2; }

give_up() {
    say "$*"
    exit 3
}

# What the environment was made from, and where: a changed lock or a moved checkout makes it anew.
fingerprint() {
    printf '%s %s\n' "$root" "$(cat "$root/requirements.lock" "$root/pyproject.toml" | cksum)"
}

is_ready() {
    local made_from
    [ -f "$stamp" ] && [ ! -e "$building" ] && [ -x "$venv/bin/python" ] || return 1
    IFS= read -r made_from <"$stamp" || return 1
    [ "$made_from" = "$(fingerprint)" ]
}

# From /, because Python would also find the package in a working directory that happens to hold it.
has_package() { (cd / && "$1" -c 'import reprise') >/dev/null 2>&1; }

has_dependencies() {
    "$1" - >/dev/null 2>&1 <<'EOF'
import importlib.util as u, sys
sys.exit(not all(u.find_spec(m) for m in "pip torch papermill distributed typer hatchling editables".split()))
EOF
}

# Print the interpreter of an active environment that can be used as it is; status 1 when there is none.
active_python() {
    local prefix python
    if [ -n "${REPRISE_PYTHON:-}" ]; then
        python=$(command -v "$REPRISE_PYTHON") && has_package "$python" ||
            give_up "REPRISE_PYTHON=$REPRISE_PYTHON cannot import reprise; install it there (pip install -e .) or unset the variable"
        printf '%s\n' "$python"
        return
    fi
    for prefix in "${VIRTUAL_ENV:-}" "${CONDA_PREFIX:-}"; do
        python=$prefix/bin/python
        if [ -z "$prefix" ] || [ "$prefix" = "$venv" ] || [ ! -x "$python" ]; then
            continue
        fi
        if ! has_package "$python" && has_dependencies "$python"; then
            # an environment made from environment.yml has everything but the package itself
            "$python" -m pip install --quiet --no-deps --no-build-isolation -e "$root" >&2 ||
                give_up "the package could not be installed into $prefix; see the lines above"
        fi
        if has_package "$python"; then
            printf '%s\n' "$python"
            return
        fi
    done
    return 1
}

# Print an interpreter of a supported version; none is ever downloaded.
find_python() {
    local name path
    for name in python3.13 python3.12 python3.11 python3 python; do
        path=$(command -v "$name") || continue
        if "$path" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' >/dev/null 2>&1; then
            "$path" -c 'import sys; print(sys.executable)'
            return
        fi
    done
    give_up "Python 3.11, 3.12 or 3.13 is needed and none is on the PATH; install one (Debian or Ubuntu: sudo apt-get install python3 python3-venv) and run this again"
}

check_disk() {
    local free_kb
    free_kb=$(df -Pk "$1" | awk 'NR == 2 { print $4 }')
    [ "$free_kb" -ge $((needed_gb * 1000 * 1000)) ] ||
        give_up "the environment needs $needed_gb GB of disk and $1 has $((free_kb / 1000 / 1000)) GB free; make room and run this again (REPRISE_DISK_GB=0 skips this check)"
}

# Print uv's path; a private copy is installed where there is none.
find_uv() {
    local python=$1 home=$root/.venv-uv
    if command -v uv; then
        return
    fi
    if ! "$home/bin/uv" --version >/dev/null 2>&1; then
        rm -rf "$home"
        if ! { "$python" -m venv "$home" && "$home/bin/python" -m pip install --quiet "uv==$uv_version"; } >>"$log" 2>&1; then
            # Debian ships venv without its installer; pip alone is enough where it is there
            rm -rf "$home"
            "$python" -m pip --version >/dev/null 2>&1 ||
                give_up "this Python has neither venv nor pip; install them (Debian or Ubuntu: sudo apt-get install python3-venv) and run this again"
            "$python" -m pip install --quiet --target "$home" "uv==$uv_version" >>"$log" 2>&1 || explain "uv could not be installed"
        fi
        printf '*\n' >"$home/.gitignore"
    fi
    printf '%s\n' "$home/bin/uv"
}

# End with one sentence that says why an installation failed.
explain() {
    if grep -qiE 'dns|resolve|connect|network|unreachable|timed out|error sending request|No matching distribution' "$log"; then
        give_up "$1: no connection to the package index; connect to the network (or set the proxy) and run this again (details: $log)"
    elif grep -qiE 'no space left|os error 28' "$log"; then
        give_up "$1: the disk is full; make room and run this again (details: $log)"
    fi
    give_up "$1: $(grep -v '^ *$' "$log" | tail -n 1) (details: $log)"
}

# On a terminal, count the seconds of a long silence.
tick() {
    local started=$SECONDS
    while sleep 1; do printf '\r%3d s ' $((SECONDS - started)) >&2; done
}

# A second try without the network succeeds where the packages are in uv's cache.
install_packages() {
    "$1" pip sync "${@:2}" >>"$log" 2>&1 || "$1" pip sync --offline "${@:2}" >>"$log" 2>&1
}

prepare_uv() {
    local cache
    export UV_PYTHON_DOWNLOADS=never
    # where Python may not keep compiled modules, every process would compile them all again (6 s for torch's)
    [ -z "${PYTHONDONTWRITEBYTECODE:-}" ] || export UV_COMPILE_BYTECODE=1
    cache=$("$1" cache dir)
    if ! mkdir -p "$cache" 2>/dev/null; then
        export UV_CACHE_DIR=$root/.cache/uv
        mkdir -p "$UV_CACHE_DIR"
    elif [ ! -x "$venv/bin/python" ]; then
        check_disk "$cache"
    fi
}

fill_environment() {
    local python=$1 uv=$2
    # one that was interrupted may hold half-written packages that look installed
    if [ -e "$building" ] || ! "$venv/bin/python" -c '' >/dev/null 2>&1; then
        rm -rf "$venv"
        "$uv" venv --python "$python" "$venv" >>"$log" 2>&1 || explain "the virtual environment could not be made"
    fi
    : >"$building"
    rm -f "$stamp"
    install_packages "$uv" --python "$venv/bin/python" --require-hashes "$root/requirements.lock" ||
        explain "the packages could not be installed"
    "$uv" pip install --python "$venv/bin/python" --no-deps --no-build-isolation -e "$root" >>"$log" 2>&1 ||
        explain "the project could not be installed"
    fingerprint >"$stamp"
    rm -f "$building"
}

make_environment() {
    local python uv ticker='' started=$SECONDS
    mkdir -p "$root/.cache"
    if command -v flock >/dev/null 2>&1; then
        # two calls at once: the second waits, then finds everything ready
        exec 9>"$root/.cache/setup.lock"
        flock 9
        if is_ready; then
            exec 9>&-
            return
        fi
    fi
    : >"$log"
    python=$(find_python)
    [ -x "$venv/bin/python" ] || check_disk "$root"
    say "making the environment in .venv (once; a few minutes, 6 GB)"
    if [ -t 2 ]; then
        tick &
        ticker=$!
        # shellcheck disable=SC2064 # this ticker, now
        trap "kill $ticker 2>/dev/null; printf '\r' >&2" EXIT
    fi
    uv=$(find_uv "$python")
    prepare_uv "$uv"
    fill_environment "$python" "$uv"
    if [ -n "$ticker" ]; then
        kill "$ticker"
        trap - EXIT
        printf '\r' >&2
    fi
    exec 9>&-
    say "ready after $((SECONDS - started)) s"
}

main() {
    local python status=0
    case ${1:-} in
    -h | --help)
        sed -n '2,/^$/s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
        return
        ;;
    esac
    trap 'exit 130' INT
    python=$(active_python) || status=$?
    case $status in
    0) ;;
    1)
        is_ready || make_environment
        python=$venv/bin/python
        ;;
    *) exit "$status" ;;
    esac
    trap - INT
    exec "$python" -m reprise "$@"
}

main "$@"
