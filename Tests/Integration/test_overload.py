"""A node that has too much to do says so early."""

import threading

from weir import Peer, ReservedPort, get, request, until


def serve(workspace, overload, workers=1):
    port = workspace.keep(ReservedPort())
    node = workspace.node(f"""
listeners: [{{name: web, address: {port}, limits: {{requestsPerConnection: 0}}}}]
routes: [{{name: all, respond: {{status: 200, body: "hello"}}}}]
overload: {{{overload}}}
logging: {{access: off}}
""", workers=workers)
    return node, port.address


def metric(node, name):
    for line in node.get("/metrics").body.decode().splitlines():
        if line.startswith(name + " "):
            return int(float(line.split()[1]))
    raise AssertionError(f"there is no {name}")


class Flood:
    """Connections on which requests come as fast as they are answered, many at once."""

    def __init__(self, target, count=200, depth=100):
        self.target = target
        self.depth = depth
        self.is_over = False
        self.answers = []
        self.lock = threading.Lock()
        self.peers = [Peer.connect(target) for _ in range(count)]
        self.thread = threading.Thread(target=self.run, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def run(self):
        batch = request() * self.depth
        while not self.is_over:
            for peer in self.peers:
                peer.send(batch)
            for peer in self.peers:
                for _ in range(self.depth):
                    head = peer.read_response()
                    self.answers.append((head.status, head.get("retry-after"), head.get("proxy-status")))

    def __exit__(self, *_):
        self.is_over = True
        self.thread.join()
        for peer in self.peers:
            peer.close()


def test_a_worker_that_lags_refuses_some_and_serves_some(workspace):
    node, web = serve(workspace, "loopLag: 1ms")
    with Flood(web) as flood:
        until(lambda: metric(node, 'weir_requests_shed_total{reason="lag"}') > 100, "requests are refused", 60)
    refused = {answer for answer in flood.answers if answer[0] != 200}
    assert refused == {(503, "1", "weir; error=proxy_internal_response")}
    assert sum(answer[0] == 200 for answer in flood.answers) > len(flood.answers) // 2
    until(lambda: [get(web).status for _ in range(20)] == [200] * 20, "all are served again")


def test_without_a_limit_none_is_refused(workspace):
    node, web = serve(workspace, "loopLag: 0")
    with Flood(web, 50) as flood:
        until(lambda: len(flood.answers) > 10_000, "there was a flood", 60)
    assert {answer[0] for answer in flood.answers} == {200}


def test_a_node_without_memory_refuses_all_and_says_how_it_is(workspace):
    node, web = serve(workspace, "memory: 1MiB")
    head = get(web)
    assert (head.status, head.get("retry-after")) == (503, "1")
    assert metric(node, 'weir_requests_shed_total{reason="memory"}') == 1
    assert node.get("/readyz").status == 200


def test_a_limit_of_memory_that_is_not_reached(workspace):
    node, web = serve(workspace, "memory: 100GiB")
    assert [get(web).status for _ in range(5)] == [200] * 5
    assert metric(node, 'weir_requests_shed_total{reason="memory"}') == 0
