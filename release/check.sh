#!/usr/bin/env bash
# Builds a release twice, from two clones in two folders, and compares the sums.
# TARGET=linux-amd64 builds that target alone.
set -euo pipefail
root=$(git -C "$(dirname "$0")" rev-parse --show-toplevel)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for n in one two-with-a-longer-name; do
  git clone -q "$root" "$work/$n"
  (cd "$work/$n/release" && go run . -out "$work/$n/dist" ${TARGET:+-only "$TARGET"})
done
diff "$work/one/dist/SHA256SUMS" "$work/two-with-a-longer-name/dist/SHA256SUMS"
echo "equal byte for byte: $(wc -l < "$work/one/dist/SHA256SUMS") files"
