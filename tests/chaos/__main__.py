"""`python -m chaos [KILLS] [SAVES] [DISKS] [SEED]`: kills, concurrent writers, full disks; exit code 1 on failure."""

import json
import sys
import tempfile
from pathlib import Path

from chaos.disks import in_own_namespace
from chaos.kills import campaign
from chaos.saves import GOOD, count_saves, in_namespaces


def main(kills: int = 500, saves: int = 10_000, disks: int = 40, seed: int = 0) -> int:
    with tempfile.TemporaryDirectory() as folder:
        places = [Path(folder) / name for name in ("threads", "namespaces", "disks", "kills")]
        for place in places:
            place.mkdir()
        threads, processes = count_saves(places[0], saves, 8), in_namespaces(places[1], saves)
        print("8 threads:", json.dumps(threads))
        print("2 processes of one number:", json.dumps(processes), flush=True)
        full = in_own_namespace(places[2], disks)
        print("disks:", json.dumps(full), flush=True)
        killed = campaign(kills, places[3], seed)
        print("kills:", json.dumps(killed, indent=1))
    lost = [counts for counts in (threads, processes) if counts and counts["saved"] + counts[GOOD] < 2 * saves]
    return int(bool(lost or killed["wrong"] or (full and full["wrong"])))


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
