#!/usr/bin/env bash
# What segapp does on a GPU, measured in minutes: training throughput, prediction, correctness, accuracy.
#
#   benchmarks/gpu/run.sh --minutes 8 --output runs/gpu --data camvid=camvid.yaml --data nuclei=nuclei.yaml
#   benchmarks/gpu/run.sh --tiny --output /tmp/kit         # on a CPU, to see that everything works
#
# Options:
#   --parts LIST     of throughput, predict, correct, accuracy, with commas; default: all, in this order
#   --minutes N      for all of them together; what one part leaves over goes to the next
#   --output DIR     JSON per part, log.txt and tables.md; measurements that are there are not repeated
#   --data NAME=FILE data section for the part accuracy, whose split has test images; repeat it for several sets
#   --arms LIST      of the part accuracy, --seeds N, --jobs N runs at once, --run_minutes N of each: see ../accuracy.py
#   --python FILE    interpreter; default: python3
set -uo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
parts=throughput,predict,correct,accuracy minutes=8 output=runs/gpu tiny=() python=${PYTHON:-python3}
data=() extra=() jobs=5 run_minutes=1.2
while (($#)); do
  case $1 in
    --tiny) tiny=(--tiny) && shift ;;
    --parts) parts=$2 && shift 2 ;;
    --minutes) minutes=$2 && shift 2 ;;
    --output) output=$2 && shift 2 ;;
    --data) data+=("$1" "$2") && shift 2 ;;
    --arms | --seeds) extra+=("$1" "$2") && shift 2 ;;
    --jobs) jobs=$2 && shift 2 ;;
    --run_minutes) run_minutes=$2 && shift 2 ;;
    --python) python=$2 && shift 2 ;;
    -h | --help) sed -n '2,16s/^# \{0,1\}//p' "$0" && exit 0 ;;
    *) echo "run.sh: unknown option $1; see --help" >&2 && exit 2 ;;
  esac
done

declare -A weight=([throughput]=14 [predict]=5 [correct]=9 [accuracy]=28)
IFS=, read -ra wanted <<<"$parts"
rest=0
for part in "${wanted[@]}"; do
  [[ -n ${weight[$part]:-} ]] || { echo "run.sh: no part $part; there are ${!weight[*]}" >&2 && exit 2; }
  ((rest += weight[$part]))
done

# Trains the arms of the part accuracy for so many seconds in all; those that are done are kept.
train_arms() {
  if ((${#tiny[@]})); then
    data=(--data "cells=$here/cells.yaml") extra=(--arms "plan-scratch,smp" --seeds 1) jobs=2 run_minutes=0.3
  fi
  ((${#data[@]})) || { echo "run.sh: give --data NAME=FILE for the part accuracy" >&2 && return 1; }
  local words=("${data[@]}" "${extra[@]}" --jobs "$jobs" --minutes "$run_minutes" --output "$output/accuracy")
  timeout --kill-after=10 "$1" "$python" "$here/../accuracy.py" "${words[@]}"
}

mkdir -p "$output"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
root=$(dirname "$(dirname "$here")")
export PYTHONPATH=$root${PYTHONPATH:+:$PYTHONPATH} PYTHONUNBUFFERED=1
end=$(awk -v now="$EPOCHREALTIME" -v m="$minutes" 'BEGIN { printf "%d", now + 60 * m }')
status=0
for part in "${wanted[@]}"; do
  share=$(((end - EPOCHSECONDS) * weight[$part] / rest))
  ((rest -= weight[$part]))
  if ((share < 10)); then
    echo "run.sh: no time is left for $part" >&2 && status=1 && continue
  fi
  echo "== $part, up to $share s" >&2
  if [[ $part == accuracy ]]; then
    train_arms "$share" || status=1
    continue
  fi
  options=(--output "$output" --scratch "$scratch/$part" --until "$((EPOCHSECONDS + share - 5))" "${tiny[@]}")
  timeout --kill-after=10 "$((share + 15))" "$python" "$here/$part.py" "${options[@]}" || status=1
done
"$python" "$here/tables.py" "$output" || status=1
exit $status
