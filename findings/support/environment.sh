# shellcheck shell=bash
# Sourced by each finding. Makes a temporary folder with an environment of its own, in which the packages of the calling
# script's head are installed, and goes there. The folder is removed when the script ends. Needs uv.
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
support=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
read -ra packages <<<"$(sed -n 's/^# packages: //p' "$0")"
# What these packages depend on is not pinned: of that, take what there was when the findings were last run.
export UV_EXCLUDE_NEWER=2026-11-28
uv venv --quiet --python 3.11 "$folder/venv"
uv pip install --quiet --python "$folder/venv" "${packages[@]}"
cd "$folder" || exit
# Of this repository the program sees seen.py alone, and nothing is fetched while it runs.
export PATH="$folder/venv/bin:$PATH" PYTHONPATH="$support" PYTHONDONTWRITEBYTECODE=1 HF_HOME="$folder/hf" HF_HUB_OFFLINE=1
export TOKENIZERS_PARALLELISM=false TRANSFORMERS_VERBOSITY=error HF_HUB_DISABLE_PROGRESS_BARS=1 PYTHONWARNINGS=ignore
