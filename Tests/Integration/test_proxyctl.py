"""proxyctl without a control plane: validate, compile, schema, explain, contexts, help and exit codes."""

import json
import re
import resource

import pytest
import yaml

from weir import run_proxyctl

GOOD = """
listeners:
  - {name: web, address: 127.0.0.1:8080}
upstreams:
  - {name: products, endpoints: [{address: 127.0.0.1:9001}]}
routes:
  - {name: shop, hosts: [shop.example.com], match: {path: {prefix: /products}}, upstream: products}
  - {name: rest, respond: {status: 404}}
"""


def test_validate_accepts_a_good_file_and_standard_input(workspace):
    run_proxyctl("validate", workspace.configuration(GOOD))
    run_proxyctl("validate", "-", text_input=GOOD)
    run_proxyctl("validate", workspace.write("fleet.json", json.dumps(yaml.safe_load(GOOD))))


def test_several_files_are_one_configuration(workspace):
    first, second = GOOD.split("routes:")
    run_proxyctl("validate", workspace.write("a.yaml", first), workspace.write("b.yaml", "routes:" + second))
    # Alone, the second refers to an upstream that is not there.
    result = run_proxyctl("validate", workspace.folder / "b.yaml", code=1)
    assert "products" in result.err + result.out


def test_every_problem_is_reported_at_once_with_its_place_and_a_suggestion(workspace):
    path = workspace.write("bad.yaml", """listeners:
  - name: web
    adress: 127.0.0.1:8080
upstreams:
  - {name: products, endpoints: [{address: 127.0.0.1:9001, weight: heavy}]}
routes:
  - name: shop
    upstream: product
  - name: shop
    respond: {status: 99}
""")
    result = run_proxyctl("validate", path, code=1)
    text = result.err + result.out
    assert re.search(r"bad\.yaml:3:5: .*adress.*address", text), text
    assert re.search(r"bad\.yaml:5:\d+: .*weight", text), text
    assert re.search(r"bad\.yaml:8:\d+: .*product.*products", text), text
    assert re.search(r"bad\.yaml:9:\d+: .*shop", text), text
    assert re.search(r"bad\.yaml:10:\d+: .*status", text), text
    problems = run_proxyctl("validate", path, "-o", "json", code=1).json["problems"]
    assert len(problems) >= 5
    assert {"file", "line", "column", "kind", "name", "field", "message"} <= set(problems[0])


@pytest.mark.parametrize("field", [
    "policies: [{name: p, compress: {}}]",
    "consumers: [{name: c}]",
    "tracing: {otlp: 'http://127.0.0.1:4318'}",
])
def test_a_field_of_a_later_build_is_refused_by_name(workspace, field):
    result = run_proxyctl("validate", workspace.configuration(GOOD + field + "\n"), code=1)
    assert "not supported by this build" in result.err + result.out


BOMBS = {
    "aliases": "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{chr(98 + index)}: &{chr(98 + index)} [{','.join(['*' + chr(97 + index)] * 9)}]\n" for index in range(12)),
    "depth": "routes: " + "[" * 20_000 + "]" * 20_000 + "\n",
    "depth in JSON": "{\"routes\":" + "[" * 100_000,
    "size": "#" * (65 * 1024 * 1024),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_at_once(workspace, name):
    path = workspace.configuration(BOMBS[name])
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    run_proxyctl("validate", path, code=1)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    # Time on a processor: how long that takes is a matter of what else the machine does.
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 8


def test_what_does_nothing_or_is_not_covered_is_refused_with_its_place(workspace):
    folder = workspace.certificates.folder
    source = folder / "fleet.yaml"
    source.write_text("""listeners:
  - {name: web, address: 127.0.0.1:0, protocol: https, tls: {certificates: [test]}}
certificates: [{name: test, files: {certificate: test.crt, key: test.key}}]
routes:
  - name: one
    hosts: [example.test, elsewhere.test]
    respond: {status: 204}
""")
    assert "fleet.yaml:6:12: routes[one].hosts: no certificate of web covers elsewhere.test" in run_proxyctl("validate", source, code=1).err
    source.write_text("""listeners:
  - {name: edge, address: 127.0.0.1:0, protocol: tls-passthrough, serverNames: {}}
tests:
  - {name: t, request: {url: "http://a.test/"}, expect: {}}
""")
    problems = run_proxyctl("validate", source, code=1).err
    assert "fleet.yaml:2:80: listeners[edge].serverNames: names nobody" in problems
    assert "fleet.yaml:4:57: tests[t].expect: expects nothing" in problems


def test_a_missing_file_is_an_error_and_not_a_usage_error(workspace):
    result = run_proxyctl("validate", workspace.folder / "none.yaml", code=1)
    assert "none.yaml" in result.err


def test_the_schema_is_json(workspace):
    schema = run_proxyctl("schema").json
    assert schema["type"] == "object" and "listeners" in schema["properties"]


def test_compile_writes_the_same_octets_for_the_same_meaning(workspace):
    first = workspace.configuration(GOOD)
    second = workspace.configuration(yaml.safe_dump(yaml.safe_load(GOOD)))
    run_proxyctl("compile", first, "--out", workspace.folder / "1")
    run_proxyctl("compile", second, "--out", workspace.folder / "2")
    octets = (workspace.folder / "1").read_bytes()
    assert octets.startswith(b"WEIRSNP1")
    assert octets == (workspace.folder / "2").read_bytes()


def test_explain_names_the_route_and_why(workspace):
    path = workspace.configuration(GOOD)
    explained = run_proxyctl("explain", "GET", "http://shop.example.com/products/7?v=2", "-f", path, "-o", "json").json
    assert {"listener", "route", "why", "policies", "upstream", "endpoint", "path", "host"} <= set(explained)
    assert (explained["route"], explained["upstream"], explained["path"]) == ("shop", "products", "/products/7")
    explained = run_proxyctl("explain", "GET", "http://other.example.com/", "-f", path, "-o", "json").json
    assert explained["route"] == "rest"
    assert "shop" in run_proxyctl("explain", "GET", "http://shop.example.com/products", "-f", path).out


def test_usage_errors_exit_2_with_a_suggestion(workspace):
    assert "apply" in run_proxyctl("aply", "x.yaml", code=2).err
    assert "--wait" in run_proxyctl("apply", "x.yaml", "--wiat", code=2).err
    run_proxyctl("apply", code=2)
    run_proxyctl("node", "shw", "x", code=2)
    run_proxyctl("status", "-o", "xml", code=2)
    run_proxyctl("compile", "x.yaml", code=2)


def test_global_options_stand_before_or_after_the_command(workspace):
    path = workspace.configuration(GOOD)
    for arguments in (["-o", "json", "validate", path], ["validate", "-o", "json", path],
                      ["validate", path, "-o", "json"], ["--output=json", "validate", path], ["-ojson", "validate", path]):
        assert isinstance(run_proxyctl(*arguments).json, dict), arguments


def test_help_is_on_stdout_and_has_examples(workspace):
    assert "apply" in run_proxyctl("--help").out
    assert "proxyctl apply" in run_proxyctl("apply", "--help").out
    assert "proxyctl apply" in run_proxyctl("help", "apply").out


def test_completion_scripts(workspace):
    for shell in ("bash", "zsh", "fish"):
        assert "proxyctl" in run_proxyctl("completion", shell).out
    run_proxyctl("completion", "tcsh", code=2)


def test_contexts(workspace):
    config = workspace.folder / "config" / "config.yaml"
    ca = workspace.write("ca.pem", "")
    options = ["--config", config]
    run_proxyctl(*options, "context", "add", "one", "--server", "https://127.0.0.1:1", "--ca", ca, "--token", "t")
    run_proxyctl(*options, "context", "add", "two", "--server", "https://127.0.0.1:2", "--ca", ca, "--token-file", ca)
    assert config.stat().st_mode & 0o777 == 0o600
    contexts = run_proxyctl(*options, "context", "list", "-o", "json").json
    assert [(context["name"], context["current"]) for context in contexts] == [("one", True), ("two", False)]
    assert "\"t\"" not in json.dumps(contexts)
    run_proxyctl(*options, "context", "use", "two")
    contexts = run_proxyctl("context", "list", "-o", "json", environment={"PROXYCTL_CONFIG": str(config)}).json
    assert [context["current"] for context in contexts] == [False, True]
    assert "one" in run_proxyctl(*options, "context", "use", "on", code=1).err


@pytest.mark.parametrize("text, place", [("contexts: [\n", ":2:1:"), ("contexts: 5\n", ":1:11:"), ("hello\n", "config.yaml:")])
def test_a_broken_contexts_file_is_named(workspace, text, place):
    config = workspace.write("config.yaml", text)
    error = run_proxyctl("--config", config, "status", code=1).err
    assert place in error and "configuration" not in error


def test_a_server_that_is_not_there_is_exit_8(workspace):
    ca = workspace.write("ca.pem", "")
    assert run_proxyctl("status", code=1).err  # no contexts file at all
    config = workspace.write("config.yaml", f"""
contexts: [{{name: local, server: "https://127.0.0.1:1", ca: {ca.name}, token: t}}]
current: local
""")
    # An authority that holds no certificate is a fault of the context, not of the network.
    run_proxyctl("--config", config, "status", code=1)


def test_version(workspace):
    assert re.match(r"\S+", run_proxyctl("version").out)


def test_hosts_may_be_written_in_any_script(workspace):
    text = """
listeners: [{name: web, address: "127.0.0.1:8080"}]
routes: [{name: books, hosts: [bücher.example, "*.straße.de"], respond: {status: 204}}]
tests: [{name: t, request: {url: "http://bücher.example/"}, expect: {route: books}}]
"""
    path = workspace.configuration(text)
    run_proxyctl("validate", path)
    for host in ("bücher.example", "BÜCHER.example", "xn--bcher-kva.example", "www.straße.de"):
        told = run_proxyctl("explain", "GET", f"http://{host}/", "-f", path, "-o", "json").json
        assert told["route"] == "books", host
    assert run_proxyctl("explain", "GET", "http://strasse.de/", "-f", path, "-o", "json").json["route"] is None
    assert "ü..example" in run_proxyctl("explain", "GET", "http://ü..example/", "-f", path, code=1).err
    # The form that clients ask for is what is stored.
    snapshot = workspace.folder / "books.snapshot"
    run_proxyctl("compile", path, "--out", snapshot)
    assert b"xn--bcher-kva.example" in snapshot.read_bytes()
    broken = workspace.configuration(text.replace("bücher.example,", "bü..cher,"))
    done = run_proxyctl("validate", broken, code=1)
    text = done.err + done.out
    assert f"{broken}:3:32" in text and text.count("bü..cher") == 1, text
