#!/bin/sh
# Runs every mode with every seed on the same weights, pictures and profile, and
# compares them. Stopped at any moment, the same command goes on.
#
#   run.sh EVOSR DIR FROM MODES SEEDS EVALUATIONS
#
# FROM is pretrained or a file of weights whose space holds that of x2.yaml.
set -eu
evosr=$1 dir=$2 from=$3 modes=$4 seeds=$5 evaluations=$6
case $from in pretrained | /*) ;; *) from=$PWD/$from ;; esac
mkdir -p "$dir"
[ -e "$dir/profile.yaml" ] || "$evosr" profile --quick -o "$dir/profile.yaml"
runs=
for seed in $seeds; do
  for mode in $modes; do
    run=$dir/$mode-$seed
    sed -e "s|^  from: .*|  from: $from|" -e "s|^  mode: .*|  mode: $mode|" -e "s|^  seed: .*|  seed: $seed|" \
      -e "s|^  evaluations: .*|  evaluations: $evaluations|" "$(dirname "$0")/x2.yaml" >"$run.yaml"
    "$evosr" run "$run.yaml" --dir "$run" >&2
    runs="$runs $run"
  done
done
# shellcheck disable=SC2086 # one word a run
"$evosr" compare $runs
# shellcheck disable=SC2086
"$evosr" compare --json $runs >"$dir/comparison.json"
