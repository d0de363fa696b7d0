"""What tests of `proxy-node upgrade` stand on: a process takes the place of another one.

The new process is a child of the test, as it is one of the service manager otherwise: the old one starts it as its
sibling.
"""

import contextlib
import os
import pathlib
import re
import signal

from weir import BIN, PEER_SECONDS, until


class Process:
    """A process that the node under test has started, which makes it a child of the test."""

    def __init__(self, pid):
        self.pid = pid
        self.code = None

    def poll(self):
        """The exit code, or None while it runs."""
        if self.code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.code = os.waitstatus_to_exitcode(status)
        return self.code

    @property
    def is_running(self):
        return self.poll() is None

    def signal(self, number):
        if self.is_running:
            os.kill(self.pid, number)

    def wait(self, seconds=PEER_SECONDS):
        until(lambda: not self.is_running, f"process {self.pid} has ended", seconds)
        return self.code

    def stop(self):
        self.signal(signal.SIGTERM)
        return self.wait()

    def kill(self):
        self.signal(signal.SIGKILL)
        return self.wait()

    def threads(self):
        """The names of its threads."""
        names = []
        for task in pathlib.Path(f"/proc/{self.pid}/task").iterdir():
            with contextlib.suppress(OSError):
                names.append((task / "comm").read_text().strip())
        return names


class Upgrade:
    """A run of `proxy-node upgrade` on a node."""

    def __init__(self, workspace, node, *arguments):
        self.workspace = workspace
        self.process = None
        workspace.counts["upgrade"] += 1
        self.program = workspace.start(f"upgrade-{workspace.counts['upgrade']}", BIN / "proxy-node", "upgrade",
                                       "--data", node.folder, *arguments)

    def started(self):
        """The new process, once there is one."""
        def number():
            match = re.search(r"the new process is (\d+)", self.program.stderr())
            assert match or self.program.is_running, self.program.stderr()
            return match and int(match[1])

        if self.process is None:
            self.process = Process(until(number, "the new process is started"))
            self.workspace.closing.callback(self.process.kill)
        return self.process

    def ended(self, code):
        """What it said, once it has ended with `code`."""
        until(lambda: not self.program.is_running, "the upgrade has ended", 60)
        said = self.program.stdout() + self.program.stderr()
        assert self.program.process.returncode == code, said
        return said

    def done(self):
        """The new process, once it serves."""
        self.ended(0)
        return self.started()


def upgrade(workspace, node, *arguments):
    """Replaces a node's process, and returns the new one."""
    return Upgrade(workspace, node, *arguments).done()
