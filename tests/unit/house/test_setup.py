"""deploy/setup says what is missing, installs it once, and starts no service on the way.

The script runs as it is, but for the place of the service policy; apt is a double that records.
"""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
TOOLS = (
    "bash", "cat", "chmod", "cut", "dirname", "env", "find", "flock", "grep", "head", "ldconfig",
    "mktemp", "mv", "rm", "sed", "sha256sum", "tee",
)  # fmt: skip
EARLIER_POLICY = "#!/bin/sh\nexit 104\n"

# Answers for each service what the policy says while packages are being installed.
APT_GET = """#!/bin/bash
echo "apt-get $*" >>"$LOG"
if [[ " $* " != *" install "* ]]; then exit 0; fi
for asked in "mosquitto start" "ssh start" "ssh restart"; do
  "$POLICY" $asked
  echo "$asked: $?" >>"$LOG"
done
if [ -n "${KILL:-}" ]; then kill -KILL "$(cat "$LOG.pid")"; fi
exit "${APT_STATUS:-0}"
"""
APT_CACHE = '#!/bin/bash\necho "  Candidate: 1.0"\n'


@dataclass
class Machine:
    """A machine with few programs, on which only deploy/setup --apt runs."""

    place: Path
    tools: Path
    policy: Path
    log: Path

    def setup(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        self.log.touch()
        run = f'echo $$ >"{self.log}.pid"; exec deploy/setup {" ".join(arguments)}'
        return subprocess.run(
            [self.tools / "bash", "-c", run],
            cwd=self.place, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
            env={
                "PATH": str(self.tools), "HOME": str(self.place), "LOG": str(self.log),
                "POLICY": str(self.policy), **environment,
            },
        )  # fmt: skip

    def double(self, name: str, script: str) -> None:
        (self.tools / name).write_text(script, encoding="utf-8")
        (self.tools / name).chmod(0o755)

    def give_apt(self) -> None:
        self.double("apt-get", APT_GET)
        self.double("apt-cache", APT_CACHE)

    def policies(self) -> list[str]:
        return sorted(path.name for path in self.policy.parent.glob("policy-rc.d*"))


@pytest.fixture
def machine(tmp_path):
    tools, place, sbin = (tmp_path / name for name in ("tools", "place", "sbin"))
    for folder in (tools, place / "deploy", sbin):
        folder.mkdir(parents=True)
    for name in TOOLS:
        found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
        assert found, f"this test needs {name}"
        (tools / name).symlink_to(found)
    policy = sbin / "policy-rc.d"
    script = (ROOT / "deploy/setup").read_text(encoding="utf-8")
    script, places = re.subn(r"(?m)^readonly POLICY=.*$", f"readonly POLICY={policy}", script)
    assert places == 1
    (place / "deploy/setup").write_text(script, encoding="utf-8")
    (place / "deploy/setup").chmod(0o755)
    machine = Machine(place, tools, policy, tmp_path / "log")
    machine.double("id", "#!/bin/sh\necho 0\n")
    return machine


def test_without_apt_it_names_what_to_install(machine):
    done = machine.setup()
    assert done.returncode == 1
    assert "no apt here" in done.stderr
    assert "Debian: espeak-ng" in done.stderr
    assert "Debian: chromium or chromium-browser" in done.stderr


def test_without_root_it_gives_the_command(machine):
    machine.give_apt()
    machine.double("id", "#!/bin/sh\necho 1000\n")
    done = machine.setup("--apt", "mosquitto")
    assert done.returncode == 1
    assert f"{machine.place}/deploy/setup --apt mosquitto" in done.stderr
    assert machine.log.read_text() == ""


@pytest.mark.parametrize("status", ["0", "1"])
def test_no_service_starts_and_no_policy_stays(machine, status):
    machine.give_apt()
    done = machine.setup("--apt", "mosquitto", APT_STATUS=status)
    assert done.returncode == int(status), done.stderr
    said = machine.log.read_text()
    assert "install -y --no-install-recommends mosquitto" in said
    assert "mosquitto start: 101" in said
    assert "ssh start: 101" in said
    assert "ssh restart: 0" in said
    assert machine.policies() == []


def test_an_earlier_policy_is_asked_and_comes_back(machine):
    machine.give_apt()
    machine.policy.write_text(EARLIER_POLICY)
    machine.policy.chmod(0o755)
    assert machine.setup("--apt", "mosquitto").returncode == 0
    assert "ssh restart: 104" in machine.log.read_text()
    assert machine.policies() == ["policy-rc.d"]
    assert machine.policy.read_text() == EARLIER_POLICY


def test_what_a_killed_run_leaves_is_put_right_by_the_next(machine):
    machine.give_apt()
    machine.policy.write_text(EARLIER_POLICY)
    machine.policy.chmod(0o755)
    assert machine.setup("--apt", "mosquitto", KILL="yes").returncode < 0
    assert len(machine.policies()) == 2
    assert machine.setup("--apt", "mosquitto").returncode == 0
    assert machine.policies() == ["policy-rc.d"]
    assert machine.policy.read_text() == EARLIER_POLICY


def test_mosquittos_own_service_is_switched_off(machine):
    machine.give_apt()
    machine.double("systemctl", '#!/bin/bash\necho "systemctl $*" >>"$LOG"\n')
    machine.setup("--apt", "mosquitto")
    assert "systemctl --quiet disable mosquitto" in machine.log.read_text()


def test_what_is_installed_is_not_installed_again(machine):
    machine.give_apt()
    machine.double("dpkg-query", "#!/bin/sh\nprintf installed\n")
    done = machine.setup("--apt", "mosquitto")
    assert done.returncode == 0
    assert machine.log.read_text() == ""
