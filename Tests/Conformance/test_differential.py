"""Two readers against each other: what the proxy makes of mutated messages, and what the reader of strict.py makes of them.

A stream of requests is changed at random places and sent on one connection. The strict reader says what has to come
of it: which requests reach the origin, with which fields and content, and how the connection ends. The same is done
with responses. WEIR_MUTATIONS sets how many of each are tried, and WEIR_SEED which; the seed of a failure is part of
its message.
"""

import os
import random

import strict
from stage import read_response

COUNT = int(os.environ.get("WEIR_MUTATIONS", "3000"))
SEED = int(os.environ.get("WEIR_SEED", "9112"))

REQUESTS = [
    b"GET /a?b=c HTTP/1.1\r\nHost: a.test\r\nAccept: */*\r\nX-Empty:\r\n\r\n",
    b"POST /form HTTP/1.1\r\nHost: a.test:80\r\nContent-Length: 11\r\nContent-Type: text/plain\r\n\r\nhello world",
    b"POST /c HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;a=\"b\";c\r\n world\r\n0\r\n\r\n",
    b"PUT /t HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\nA\r\n0123456789\r\n000\r\nX-Sum: 1\r\n\r\n",
    b"HEAD /h HTTP/1.1\r\nHost: [::1]:8080\r\nConnection: keep-alive, X-Hop\r\nX-Hop: 1\r\nX-Kept: 2\r\n\r\n",
    b"GET http://b.test/abs/../x HTTP/1.1\r\nHost: a.test\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: a.test\r\n\r\n",
    b"DELETE /%41/./b//c?%zz HTTP/1.1\r\nHost: a.test\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nok",
    b"GET /old HTTP/1.0\r\nHost: a.test\r\nConnection: keep-alive\r\n\r\n",
    b"POST /g HTTP/1.1\r\nHost: a.test\r\nContent-Length: 44\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: smuggled.t\r\n\r\n\r\n",
    b"\r\nPATCH /p HTTP/1.1\r\nhost:\ta.test\t\r\nCOOKIE: a=1\r\nCookie: b=2\r\nTE: trailers\r\nUpgrade: x\r\nContent-Length: 0\r\n\r\n",
]
RESPONSES = [
    b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\nX: 1\r\n\r\nhello world",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;a=\"b\";c\r\n world\r\n0\r\n\r\n",
    b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\nSet-Cookie: a=1\r\nset-cookie: b=2\r\n\r\nA\r\n0123456789\r\n000\r\nX-Sum: 1\r\n\r\n",
    b"HTTP/1.1 204 No Content\r\nX: 1\r\n\r\n",
    b"HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\nContent-Length: 5\r\n\r\n",
    b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\nhello",
    b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nuntil the end",
    b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 \r\nContent-Length: 0\r\nConnection: X-Hop\r\nX-Hop: 1\r\n\r\n",
]
INSERTS = [b"\r", b"\n", b"\r\n", b"\n\n", b"\r\n\r\n", b" ", b"\t", b"\x00", b"\x0b", b"\x0c", b"\x7f", b"\x80", b"\xa0", b"\xff", b":", b";", b",", b"\"", b"0", b"1", b"+", b"-",
           b"_", b"%", b"%00", b"%2e", b"/", b"\\", b"?", b"#", b"@", b"*", b"0x", b"chunked", b"identity", b"Content-Length: 5\r\n", b"Content-Length: 0\r\n", b"Transfer-Encoding: chunked\r\n",
           b"Transfer-Encoding:\tchunked\r\n", b"Transfer-Encoding: x\r\n", b"Transfer-Encoding : chunked\r\n", b"Transfer_Encoding: chunked\r\n", b"Host: b.test\r\n", b"Connection: close\r\n",
           b"Connection: Content-Length\r\n", b"Connection: host\r\n", b" folded\r\n", b"X: 1\r\n", b": 1\r\n", b"0\r\n\r\n", b"HTTP/1.1", b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n",
           b"Expect: 100-continue\r\n", b"Expect: x\r\n", b"\xef\xbb\xbf", b"HTTP/1.1 200 OK\r\n\r\n", b"X_Forwarded_For: 1\r\n"]
REPLACEMENTS = [(b"\r\n", b"\n"), (b"\r\n", b"\r"), (b"\r\n\r\n", b"\n\n"), (b"chunked", b"Chunked"), (b"chunked", b"chunked, chunked"), (b"chunked", b"gzip, chunked"), (b": ", b" : "), (b": ", b":"),
                (b"Content-Length", b"Transfer-Encoding"), (b"Transfer-Encoding", b"Content-Length"), (b"HTTP/1.1", b"HTTP/1.0"), (b"HTTP/1.1", b"HTTP/1.01"), (b"HTTP/1.1", b"HTTP/2.0"),
                (b"Host", b"host"), (b"-", b"_"), (b"5", b"05"), (b"5", b"+5"), (b" ", b"  "), (b" ", b"\t"), (b"\r\n", b"\r\n "), (b"0\r\n\r\n", b"0\r\n\n"), (b"GET", b"HEAD"), (b"a.test", b"")]
FORWARDING = {b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto", b"x-forwarded-port", b"x-forwarded-prefix", b"x-real-ip", b"forwarded", b"x-request-id"}
NO_TRAILERS = FORWARDING | strict.CONNECTION_SPECIFIC | {b"host", b"content-length", b"expect", b"trailer", b"cookie", b"content-type", b"set-cookie"}


def mutate(chance, octets):
    """The octets with one to three changes."""
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        place = chance.randrange(len(octets) + 1)
        kind = chance.randrange(7)
        if kind == 0:
            octets = octets[:place] + chance.choice(INSERTS) + octets[place:]
        elif kind == 1:
            octets = octets[:place] + octets[place + chance.choice((1, 1, 2, 8)):]
        elif kind == 2:
            octets = octets[:place] + bytes([chance.randrange(256)]) + octets[place + 1:]
        elif kind == 3:
            old, new = chance.choice(REPLACEMENTS)
            octets = octets.replace(old, new, chance.choice((1, 1, -1)))
        elif kind == 4:
            end = place + chance.randrange(60)
            octets = octets[:end] + octets[place:end] + octets[end:]
        elif kind == 5:
            lines = octets.split(b"\r\n")
            line = chance.randrange(len(lines))
            lines.insert(chance.randrange(len(lines)), lines[line] if chance.random() < 0.5 else lines.pop(line))
            octets = b"\r\n".join(lines)
        else:
            lines = octets.split(b"\r\n")
            line = chance.randrange(len(lines))
            lines[line] += chance.choice(INSERTS)
            octets = b"\r\n".join(lines)
        octets = octets or b"G"
    return octets


def expectations(octets):
    """What has to come of a stream of requests: messages in order, then a `Refused` or None, and what is left of an incomplete one."""
    messages = []
    while octets:
        try:
            message, end = strict.read_request(octets)
        except strict.Refused as refusal:
            return messages, refusal, b""
        except strict.Incomplete:
            return messages, None, octets
        messages.append(message)
        octets = octets[end:]
        if not message.persists or message.method == b"CONNECT":
            break
    return messages, None, b""


def may_be_answered(rest):
    """Whether an incomplete request is answered before its content has come."""
    try:
        return is_local(strict.read_request_head(rest)[0])
    except (strict.Refused, strict.Incomplete):
        return False


def is_local(message):
    """Whether the request is answered without the origin."""
    return (message.method in (b"CONNECT", b"TRACE") or message.path == b"*" or message.target.lower().startswith(b"https:")
            or isinstance(message.framing, int) and message.framing > 64 << 20)


def forwarded_fields(message):
    """The fields that have to reach the origin, in their order."""
    hidden = FORWARDING | {b"host"} | ({b"expect"} if message.version == b"1.0" else set()) | ({b"max-forwards"} if message.method == b"OPTIONS" else set())
    return [(name, value) for name, value in message.end_to_end() if name not in hidden and name.replace(b"_", b"-") not in FORWARDING]


def kept_trailers(message):
    """The trailer fields that go on; `_` hides none that may not."""
    return [(name, value) for name, value in message.trailers if name.replace(b"_", b"-") not in NO_TRAILERS]


def added(fields):
    """The fields of a forwarded request without those that a proxy adds."""
    return [(name, value) for name, value in fields if name not in FORWARDING | {b"host", b"te", b"connection", b"upgrade", b"transfer-encoding"}][:-1]  # Via is last


def check_forwarded(message, record):
    """Holds a request against what the origin got of it."""
    assert (record.method, record.version) == (message.method, b"1.1")
    assert record.target == message.path
    assert record.all(b"host") == [message.authority or b"main"]
    assert added(record.fields) == [field for field in forwarded_fields(message) if field[0] != b"transfer-encoding"]
    assert record.content == message.content and record.framing == message.framing
    assert record.trailers == kept_trailers(message)
    assert {option for option in record.options} <= {b"te", b"upgrade"}


def converse(stage, octets):
    """Sends a stream of requests and holds what comes of it against the strict reader."""
    messages, refusal, incomplete = expectations(octets)
    with stage.connect() as peer:
        peer.send(octets)
        for message in messages:
            response = read_response(peer, message.method)
            if is_local(message):
                assert response.status in (200, 405, 413, 421), response
            else:
                assert (response.status, response.content) == (200, b"" if message.method == b"HEAD" else b"ok"), response
        if refusal:
            response = read_response(peer, octets.lstrip(b"\r\n").partition(b" ")[0] if not messages else b"HEAD")
            assert 400 <= response.status < 600 and b"close" in response.options, response
            peer.read_to_end()
        else:
            peer.end()
            rest = peer.read_to_end()
            statuses = (b"HTTP/1.1 4", b"HTTP/1.1 5", b"HTTP/1.1 2" if may_be_answered(incomplete) else b"HTTP/1.1 4")
            assert rest == b"" or incomplete and rest.startswith(statuses), rest
    records = stage.take_records()
    expected = [message for message in messages if not is_local(message)]
    assert len(records) == len(expected), records
    for message, record in zip(expected, records):
        check_forwarded(message, record)
    return len(records), bool(refusal)


def test_rfc9112_11_2_requests_are_read_as_a_strict_reader_reads_them(stage):
    """No request is accepted that a strict reader refuses, and none reaches the origin twice, in part or altered."""
    chance = random.Random(SEED)
    stage.take_records()
    passed = refused = 0
    for number in range(COUNT):
        stream = [chance.choice(REQUESTS) for _ in range(chance.randrange(1, 4))]
        broken = chance.randrange(len(stream))
        stream[broken] = mutate(chance, stream[broken])
        octets = b"".join(stream)
        try:
            count, is_refused = converse(stage, octets)
        except Exception as failure:
            raise AssertionError(f"seed {SEED}, number {number}: {octets!r}\n{failure!r}") from failure
        passed, refused = passed + count, refused + is_refused
    print(f"seed {SEED}: {passed} requests passed, {refused} of {COUNT} streams were refused")
    assert passed > COUNT / 2 and refused > COUNT / 10


def expected_responses(octets):
    """The interim responses and the final one in what an origin sends before it closes; None for what is no response."""
    interim = []
    while True:
        try:
            message, end = strict.read_response(octets, ended=True)
        except (strict.Refused, strict.Incomplete):
            return interim, None
        if message.status == 101:
            return interim, None
        if message.status >= 200:
            return interim, message
        interim.append(message)
        octets = octets[end:]


def check_response(stage, octets):
    """Has the origin answer with these octets and close, and holds what the client gets against the strict reader."""
    interim, final = expected_responses(octets)
    target = stage.target(octets, closes=True)
    with stage.connect() as peer:
        peer.send(b"GET " + target + b" HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n")
        received = b""
        try:
            received = peer.read_to_end()
        except ConnectionResetError:
            received = peer.buffer
    del stage.origin.replies[target]
    seen = []
    while True:
        try:
            message, end = strict.read_response(received)
        except strict.Incomplete:
            assert final is None, "a whole response was cut"
            return False
        received = received[end:]
        if message.status >= 200:
            break
        seen.append((message.status, [field for field in message.fields]))
    assert received == b"", received
    for (status, fields), sent in zip(seen, interim):
        assert status == sent.status
        assert fields == [(name, value) for name, value in sent.end_to_end() if name not in (b"content-length", b"server")]
    if final is None:
        assert message.status == 502, message
        return False
    assert len(seen) == len(interim)
    assert (message.status, message.content) == (final.status, final.content)
    own = {b"date", b"via", b"connection", b"transfer-encoding", b"server"} | ({b"content-length"} if final.status == 204 else set())
    assert [field for field in message.fields if field[0] not in own] == [field for field in final.end_to_end() if field[0] not in own]
    assert message.trailers == kept_trailers(final)
    return True


def test_rfc9112_11_1_responses_are_read_as_a_strict_reader_reads_them(stage):
    """No response is passed on that a strict reader refuses, and none that is cut, stretched or altered."""
    chance = random.Random(SEED)
    passed = 0
    for number in range(COUNT):
        octets = mutate(chance, chance.choice(RESPONSES))
        try:
            passed += check_response(stage, octets)
        except Exception as failure:
            raise AssertionError(f"seed {SEED}, number {number}: {octets!r}\n{failure!r}") from failure
    stage.take_records()
    print(f"seed {SEED}: {passed} of {COUNT} responses passed")
    assert passed > COUNT / 10


def test_rfc9112_11_2_any_octet_anywhere_is_read_as_a_strict_reader_reads_it(stage):
    """Each octet value at each place of a small request: the same as above, without chance."""
    octets = b"POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n"
    values = [0, 9, 10, 11, 12, 13, 32, 33, 34, 37, 43, 44, 45, 46, 47, 48, 58, 59, 63, 64, 92, 95, 97, 127, 128, 160, 255]
    stage.take_records()
    for place in range(len(octets)):
        for value in values if COUNT < 100_000 else range(256):
            changed = octets[:place] + bytes([value]) + octets[place + 1:]
            try:
                converse(stage, changed)
            except Exception as failure:
                raise AssertionError(f"{changed!r}\n{failure!r}") from failure


# Where the lists of request smuggling put an odd octet, written as {}.
PLACES = [b"Transfer-Encoding:{}chunked", b"Transfer-Encoding{}: chunked", b"{}Transfer-Encoding: chunked", b"Transfer-Encoding: chunked{}", b"Transfer-Encoding: chun{}ked",
          b"Transfer{}Encoding: chunked", b"Transfer-Encoding: {}chunked", b"Transfer-Encoding: x{}chunked", b"Transfer-Encoding: chunked{}x", b"X: y{}Transfer-Encoding: chunked",
          b"X: y\r{}\nTransfer-Encoding: chunked", b"Content-Length:{}5", b"Content-Length{}: 5", b"{}Content-Length: 5", b"Content-Length: 5{}", b"Content-Length: {}5", b"Content-Length: 5{}5",
          b"Content-Length: 5\r\n{}Transfer-Encoding: chunked", b"X: y\r\n{}X: z", b"Connection: close{}", b"Connection:{}close", b"Expect: 100-continue{}", b"Host{}: b.test"]
BODIES = [b"hello", b"5\r\nhello\r\n0\r\n\r\n", b"0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a.test\r\n\r\n"]
STARTS = [b"GET{}/ HTTP/1.1", b"GET /{} HTTP/1.1", b"GET /{}HTTP/1.1", b"{}GET / HTTP/1.1", b"GET / HTTP/1.1{}", b"GET / HTTP/1{}1", b"GET http://b.test{}/ HTTP/1.1", b"GET /?{} HTTP/1.1",
          b"GET / HTTP/1.1\r\nHost: a.test{}", b"GET / HTTP/1.1\r\nHost:{}a.test", b"GET / HTTP/1.1\r\nHost: a{}test", b"OPTIONS *{} HTTP/1.1", b"CONNECT a.test{}80 HTTP/1.1"]
CHUNKS = [b"{}5\r\nhello\r\n0\r\n\r\n", b"5{}\r\nhello\r\n0\r\n\r\n", b"5\r{}\nhello\r\n0\r\n\r\n", b"5\r\nhello{}\r\n0\r\n\r\n", b"5\r\nhello\r\n{}0\r\n\r\n", b"5\r\nhello\r\n0{}\r\n\r\n",
          b"5\r\nhello\r\n0\r\n{}\r\n", b"5;{}a\r\nhello\r\n0\r\n\r\n", b"5;a={}b\r\nhello\r\n0\r\n\r\n", b"5;a=\"{}\"\r\nhello\r\n0\r\n\r\n", b"5\r\nhello\r\n0\r\nX{}: 1\r\n\r\n", b"5\r\nhello\r\n0\r\nX: {}\r\n\r\n"]


def disguised():
    """Requests with an odd octet where it may hide something."""
    for octet in map(bytes, [[value] for value in range(256)]):
        for number, place in enumerate(PLACES):
            yield b"POST / HTTP/1.1\r\nHost: a.test\r\n" + place.replace(b"{}", octet) + b"\r\n\r\n" + BODIES[(number + octet[0]) % len(BODIES)]
        for start in STARTS:
            yield start.replace(b"{}", octet) + (b"" if b"Host" in start else b"\r\nHost: a.test") + b"\r\n\r\n"
        for body in CHUNKS:
            yield b"POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n" + body.replace(b"{}", octet)


def test_rfc9112_11_2_an_octet_hides_no_framing_from_one_of_two_readers(stage):
    """Each octet value at each place that the public lists of request smuggling know, followed by another request."""
    stage.take_records()
    for octets in disguised():
        try:
            converse(stage, octets + REQUESTS[0])
        except Exception as failure:
            raise AssertionError(f"{octets!r}\n{failure!r}") from failure
