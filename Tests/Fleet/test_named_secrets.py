"""Named secrets as operators keep them: what is read, what is shown, and what a backup has."""

import subprocess

from disclosure import Store
from weir import BIN, Fleet


def kept(folder):
    """The values of named secrets that a control plane's database has."""
    return sorted(octets for kind, octets in Store(folder).vault if kind == "named")


def test_a_secret_is_read_as_it_is_but_for_one_end_of_a_line(workspace):
    fleet = Fleet(workspace)
    for text, value in (("plain", b"plain"), ("line\n", b"line"), ("line of DOS\r\n", b"line of DOS"),
                        ("two\n\n", b"two\n"), (" spaced \n", b" spaced "), ("ключ\n", "ключ".encode())):
        path = workspace.folder / "value"
        path.write_bytes(text.encode())
        first = fleet.ctl("secrets", "set", "one", "--file", path, "-o", "json").json[0]
        assert kept(fleet.folder) == [value]
        # The same from standard input is no other value.
        again = fleet.ctl("secrets", "set", "one", "-o", "json", text_input=text)
        assert again.json[0] == first and value.decode() not in again.out
    other = fleet.ctl("secrets", "set", "two", text_input="ключ", environment={"NO_COLOR": "1"})
    assert "two" in other.out and "ключ" not in other.out + other.err
    assert [secret["name"] for secret in fleet.ctl("secrets", "list", "-o", "json").json] == ["one", "two"]
    assert len({secret["digest"] for secret in fleet.ctl("secrets", "list", "-o", "json").json}) == 2
    fleet.ctl("secrets", "remove", "one")
    assert kept(fleet.folder) == ["ключ".encode()]


def test_what_is_no_secret_is_refused(workspace):
    fleet = Fleet(workspace)
    path = workspace.folder / "value"
    for octets, reason in ((b"", "is empty"), (b"\n", "is empty"), (b"\xff\xfe\x00", "not text in UTF-8")):
        path.write_bytes(octets)
        assert reason in fleet.ctl("secrets", "set", "one", "--file", path, code=1).err
    assert "cannot read" in fleet.ctl("secrets", "set", "one", "--file", workspace.folder / "missing", code=1).err
    assert "name" in fleet.ctl("secrets", "set", "a b", text_input="value", code=1).err
    long = fleet.ctl("secrets", "set", "one", text_input="x" * 20_000, code=1)
    assert "xxxx" not in long.err
    assert "there is no secret one" in fleet.ctl("secrets", "remove", "one", code=1).err
    assert fleet.ctl("secrets", "list", "-o", "json").json == []


def test_secrets_come_back_with_a_backup(workspace):
    fleet = Fleet(workspace)
    [made] = fleet.ctl("secrets", "set", "one", "-o", "json", text_input="the value").json
    backup = workspace.folder / "backup"
    subprocess.run([BIN / "proxy-control", "backup", "--data", fleet.folder, backup], check=True, capture_output=True)
    assert b"the value" not in backup.read_bytes()
    fleet.ctl("secrets", "set", "one", text_input="another value")
    assert fleet.control.stop() == 0
    subprocess.run([BIN / "proxy-control", "restore", "--data", fleet.folder, backup], check=True, capture_output=True)
    fleet.start_control()
    assert fleet.ctl("secrets", "list", "-o", "json").json == [made]
    assert kept(fleet.folder) == [b"the value"]
