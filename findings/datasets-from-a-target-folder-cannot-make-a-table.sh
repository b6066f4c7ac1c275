#!/usr/bin/env bash
# datasets that were installed with `pip install --target FOLDER` and reached by PYTHONPATH, as on clusters, in containers
# with a shared layer or in notebooks of a vendor, cannot make the smallest table: Dataset.from_list([{"a": 1}]) raises
# "PicklingError: Can't pickle <class 'MonthDayNano'>: it's not found as builtins.MonthDayNano". The same versions in the
# environment itself work. A table is named by a hash over its pickle; dill pickles a module by its name only where its
# file lies below the interpreter's own folders, and takes any other one apart, pyarrow too.
#
# Seen with datasets 5.2.0, pyarrow 26.0.1 (and 21.0.0), dill 0.4.1, Python 3.11 and 3.12:
#   in the environment      1 row
#   --target, PYTHONPATH    PicklingError: Can't pickle <class 'MonthDayNano'>: it's not found as builtins.MonthDayNano
# Exit code 1 if that changes.
set -euo pipefail
room=$(mktemp -d)
trap 'rm -rf "$room"' EXIT
packages=(datasets==5.2.0 pyarrow==26.0.1 dill==0.4.1)
python3 -m venv "$room/inside"
"$room/inside/bin/pip" install -q "${packages[@]}"
python3 -m venv "$room/beside"
"$room/beside/bin/pip" install -q --target "$room/folder" "${packages[@]}"
cat >"$room/table.py" <<'PY'
import pickle

from datasets import Dataset

try:
    print(len(Dataset.from_list([{"a": 1}])), "row")
except pickle.PicklingError as error:
    print(f"PicklingError: {error}")
PY
export HF_HUB_OFFLINE=1
inside=$("$room/inside/bin/python" "$room/table.py" 2>/dev/null)
beside=$(PYTHONPATH="$room/folder" "$room/beside/bin/python" "$room/table.py" 2>/dev/null)
echo "in the environment      $inside"
echo "--target, PYTHONPATH    $beside"
[[ $inside == "1 row" && $beside == *MonthDayNano* ]] || { echo changed; exit 1; }
