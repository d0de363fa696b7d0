"""proxy-control as a process: start, files, the admin API over TLS, limits for clients, and its end."""

import http.client
import json
import os
import signal
import socket
import ssl
import stat
import subprocess

import pytest

from weir import BIN, is_listening, run_proxyctl, until

TREE = {"upstreams": [{"name": "a", "endpoints": [{"address": "127.0.0.1:9001"}]}]}


class Control:
    """A control plane, and a client of its admin API that trusts only its CA."""

    def __init__(self, workspace, name="control"):
        self.folder = workspace.folder / name
        self.program = workspace.start(name, BIN / "proxy-control", "serve", "--data", self.folder, "--admin",
                                       "127.0.0.1:0", "--fleet", "127.0.0.1:0")
        addresses = self.program.ready()
        self.admin, self.fleet = addresses["admin"], addresses["fleet"]
        self.token = (self.folder / "admin.token").read_text().strip()
        self.tls = ssl.create_default_context(cafile=str(self.folder / "ca.pem"))

    def connect(self):
        return self.tls.wrap_socket(socket.create_connection(self.admin, 15), server_hostname="127.0.0.1")

    def call(self, method, path, body=None, token=None, **fields):
        connection = http.client.HTTPSConnection(*self.admin, context=self.tls, timeout=30)
        headers = {"authorization": f"Bearer {token or self.token}"}
        headers |= {name.replace("_", "-"): value for name, value in fields.items()}
        if body is not None:
            headers["content-type"] = "application/json"
            body = body if isinstance(body, (str, bytes)) else json.dumps(body)
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer, json.loads(content) if answer.getheader("content-type") == "application/json" else content

    def head(self):
        answer, versions = self.call("GET", "/v1/versions?limit=1")
        assert answer.status == 200
        return versions[0]["version"] if versions else 0


@pytest.fixture
def control(workspace):
    return Control(workspace)


def test_the_first_start_makes_files_for_their_owner_only(control):
    names = {"weir.db", "master.key", "ca.pem", "admin.token", "proxyctl.yaml"}
    assert names <= set(os.listdir(control.folder))
    assert stat.S_IMODE(control.folder.stat().st_mode) == 0o700
    for name in os.listdir(control.folder):
        assert stat.S_IMODE((control.folder / name).stat().st_mode) == 0o600, name
    assert f"https://127.0.0.1:{control.admin[1]}" in (control.folder / "proxyctl.yaml").read_text()


def test_the_admin_api_is_tls_with_the_token(control):
    answer, body = control.call("GET", "/v1/status", token="wrong")
    assert (answer.status, body["code"]) == (401, "unauthorised")
    assert body["request_id"] == answer.getheader("x-request-id")
    answer, document = control.call("GET", "/openapi.json", token="none")
    assert answer.status == 200 and document["openapi"] == "3.1.0"
    with pytest.raises(ssl.SSLCertVerificationError):
        ssl.create_default_context().wrap_socket(socket.create_connection(control.admin), server_hostname="localhost")
    with pytest.raises((http.client.HTTPException, OSError)):
        plain = http.client.HTTPConnection(*control.admin, timeout=15)
        plain.request("GET", "/healthz")
        plain.getresponse()


def test_what_was_acknowledged_is_there_after_kill_9(workspace, control):
    for number in range(1, 6):
        tree = {"upstreams": [{"name": f"u{number}", "endpoints": [{"address": "127.0.0.1:1"}]}]}
        answer, body = control.call("PUT", "/v1/configuration", {"configuration": tree}, if_match=f'"{number - 1}"')
        assert (answer.status, body["version"], answer.getheader("etag")) == (201, number, f'"{number}"')
    control.program.kill()
    again = Control(workspace)
    assert again.head() == 5 and again.token == control.token
    answer, body = again.call("GET", "/v1/configuration")
    assert [item["name"] for item in body["configuration"]["upstreams"]] == ["u5"]


def test_of_two_changes_on_one_base_one_is_made(control):
    answer, _ = control.call("PUT", "/v1/configuration", {"configuration": TREE}, if_match='"0"')
    assert answer.status == 201
    answer, body = control.call("PUT", "/v1/configuration", {"configuration": {}}, if_match='"0"')
    assert (answer.status, body["code"], body["details"]["current"]) == (412, "conflict", 1)
    assert [change["name"] for change in body["details"]["changes"]] == ["a"]
    assert control.head() == 1


def test_hostile_bodies_are_refused_at_once(control):
    bombs = [
        '{"configuration":' + "[" * 1_000_000,
        '{"configuration":[' + "0," * 2_000_000 + "0]}",
        '{"configuration":{"upstreams":[' + ",".join('{"name":"a"}' for _ in range(100_000)) + "]}}",
        '{"configuration":{}}' + " " * (33 << 20),
        b'{"configuration":"\xff\xfe"}',
    ]
    for bomb in bombs:
        before = control.program.processor_seconds()
        try:
            answer, body = control.call("PUT", "/v1/configuration", bomb)
        except (BrokenPipeError, ConnectionResetError, ssl.SSLError):
            continue  # refused before all of it was sent, and the connection closed
        assert answer.status in (400, 413, 422), body
        assert control.program.processor_seconds() - before < 10
    assert control.call("GET", "/healthz")[0].status == 200


def test_backup_and_restore_bring_back_versions_under_a_new_epoch(workspace, control):
    def run(*arguments):
        return subprocess.run([BIN / "proxy-control", *map(str, arguments)], capture_output=True, text=True, timeout=60)

    control.call("PUT", "/v1/configuration", {"configuration": TREE})
    file = workspace.folder / "weir.backup"
    done = run("backup", "--data", control.folder, file)
    assert done.returncode == 0 and "master.key" in done.stderr, done
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    control.call("PUT", "/v1/configuration", {"configuration": {}})
    refused = run("restore", "--data", control.folder, file)
    assert refused.returncode == 1 and "in use" in refused.stderr
    epoch = control.call("GET", "/v1/version")[1]["epoch"]
    assert control.program.stop() == 0
    done = run("restore", "--data", control.folder, file)
    assert done.returncode == 0, done
    again = Control(workspace)
    assert again.head() == 1
    assert again.call("GET", "/v1/version")[1]["epoch"] > epoch


def test_a_second_process_and_a_taken_port_are_refused_in_words(workspace, control):
    def run(folder, admin):
        return subprocess.run([BIN / "proxy-control", "serve", "--data", folder, "--admin", admin, "--fleet",
                               "127.0.0.1:0"], capture_output=True, text=True, timeout=60)

    second = run(control.folder, "127.0.0.1:0")
    assert second.returncode == 1 and "in use by another process" in second.stderr
    taken = run(workspace.folder / "other", f"127.0.0.1:{control.admin[1]}")
    assert taken.returncode == 1
    assert f"cannot listen on 127.0.0.1:{control.admin[1]}: Address already in use" in taken.stderr
    usage = run(workspace.folder / "other", "nonsense")
    assert usage.returncode == 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_with_0_whatever_clients_do(control, number):
    idle = control.connect()
    raw = socket.create_connection(control.admin)
    node = socket.create_connection(control.fleet)
    slow = control.connect()
    slow.sendall(b"PUT /v1/configuration HTTP/1.1\r\nhost: x\r\nauthorization: Bearer " + control.token.encode()
                 + b"\r\ncontent-length: 1000\r\n\r\n{")
    control.program.signal(number)
    assert control.program.process.wait(15) == 0
    assert "control.stopped" in control.program.stderr()
    until(lambda: not is_listening(control.admin), "the port is free")
    for peer in (idle, raw, node, slow):
        peer.close()


def test_systemd_is_told_when_it_is_ready_and_when_it_stops(workspace):
    path = str(workspace.folder / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(path)
        notify.settimeout(30)
        program = workspace.start("notified", BIN / "proxy-control", "serve", "--data", workspace.folder / "notified",
                                  "--admin", "127.0.0.1:0", "--fleet", "127.0.0.1:0",
                                  environment={**os.environ, "NOTIFY_SOCKET": path})
        assert notify.recv(100) == b"READY=1"
        program.ready()
        program.signal(signal.SIGTERM)
        assert notify.recv(100) == b"STOPPING=1"
        assert program.process.wait(15) == 0


@pytest.mark.parametrize("text", ["secret-one\nsecret-two\n", "secret\x01one\n", "\n"])
def test_a_token_file_that_holds_no_token_is_named_and_not_shown(workspace, control, text):
    (control.folder / "bad.token").write_text(text)
    contexts = control.folder / "bad.yaml"
    contexts.write_text((control.folder / "proxyctl.yaml").read_text().replace("admin.token", "bad.token"))
    result = run_proxyctl("--config", contexts, "status", code=1)
    assert "bad.token" in result.err and "secret" not in result.err + result.out
