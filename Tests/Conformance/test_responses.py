"""How responses of origins are read and passed on (RFC 9112 §4 to §7, RFC 9110 §6, §15)."""

import pytest

import strict
from stage import OK, cases, read_response


def response(*lines, start=b"HTTP/1.1 200 OK", content=b""):
    return b"\r\n".join([start, *lines, b"", b""]) + content


STRAY = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nstray"


# RFC 9112 §4: status line


@cases("start", b"HTTP/1.1", b"HTTP/1.1 ", b"HTTP/1.1 2", b"HTTP/1.1 20", b"HTTP/1.1 2000 OK", b"HTTP/1.1 099 X", b"HTTP/1.1 000 X", b"HTTP/1.1 600 X",
       b"HTTP/1.1 999 X", b"HTTP/1.1 -200 OK", b"HTTP/1.1 +20 OK", b"HTTP/1.1 0x1 OK", b"HTTP/1.1 2 0 OK", b"HTTP/1.1  200 OK", b"HTTP/1.1\t200 OK",
       b"HTTP/1.1 200\tOK", b" HTTP/1.1 200 OK", b"HTTP/1.1 2x0 OK", b"HTTP/1.1 abc OK", b"http/1.1 200 OK", b"HTTP/1.01 200 OK", b"HTTP/01.1 200 OK",
       b"HTTP/1 200 OK", b"HTTP/11 200 OK", b"HTTP/2.0 200 OK", b"HTTP/2 200", b"HTTP/0.9 200 OK", b"HTTP/3.0 200 OK", b"ICY 200 OK", b"200 OK",
       b"HTTP/1.1 200 O\x00K", b"HTTP/1.1 200 O\rK", b"HTTP/1.1 200 O\x1bK", b"HTTP/1.1 200 \x7f", b"<html>", b"220 smtp.test ESMTP", b"SSH-2.0-x",
       b"HTTP/1.1 200OK", b"HTTP/1.1,200 OK", b"HTTP/1.1 200 " + b"x" * 1000, b"HTTPS/1.1 200 OK", b"HTTP/1.1 \xb2\xb0\xb0 OK", b"HTTP/1.1/200 OK")
def test_rfc9112_4_a_status_line_that_is_none_is_502(stage, start):
    """status-line = HTTP-version SP status-code SP [ reason-phrase ]; what is no response is no answer."""
    message = stage.answers(response(b"Content-Length: 5", start=start, content=b"hello"), closes=True)
    assert message.status == 502 and b"hello" not in message.content


@cases("start", b"HTTP/1.1 200 ", b"HTTP/1.1 200", b"HTTP/1.1 200 OK", b"HTTP/1.1 200 \xc3\xa9", b"HTTP/1.1 200 a\tb  c", b"HTTP/1.1 299 X", b"HTTP/1.1 404 Nope",
       b"HTTP/1.1 599 X", b"HTTP/1.1 418 I'm a teapot", b"HTTP/1.1 500 5", b"HTTP/1.2 200 OK", b"HTTP/1.9 200 OK", b"HTTP/1.1 226 IM Used")
def test_rfc9112_4_any_status_and_reason_is_passed_on(stage, start):
    """A client ignores the reason phrase, and knows the class of a code that it does not know."""
    message = stage.answers(response(b"Content-Length: 5", start=start, content=b"hello"))
    assert (message.version, message.status, message.content) == (b"1.1", int(start.split(b" ")[1]), b"hello")
    assert message.goes_on


# RFC 9112 §2, §5: lines and fields


@cases("octets", b"HTTP/1.1 200 OK\nContent-Length: 5\r\n\r\nhello", b"HTTP/1.1 200 OK\r\nContent-Length: 5\n\r\nhello", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\nhello",
       b"HTTP/1.1 200 OK\n\nhello", b"\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", b"HTTP/1.1 200 OK\r\nContent-Length: 5\rX: 1\r\n\r\nhello",
       b"HTTP/1.1 200 OK\rContent-Length: 5\r\n\r\nhello", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\rhello", b"hello", b"\r\n\r\n", b"\x00", b"\x15\x03\x01\x00\x02\x02\x28")
def test_rfc9112_2_2_lines_of_a_response_end_in_crlf(stage, octets):
    """A response with other line ends could be split in more than one way."""
    assert stage.answers(octets, closes=True).status == 502


@cases("line", b"X : 1", b"X\t: 1", b": 1", b"X", b"X Y: 1", b" X: 1", b"X: 1\r\n 2", b"X: 1\r\n\t2", b"X: a\x00b", b"X: a\rb", b"X: a\x0bb", b"X: \x7f", b"X\x00: 1",
       b"X\xff: 1", b"Content-Length : 5", b"Transfer-Encoding : chunked", b"\x00X: 1", b"(X): 1", b"X: 1\nSet-Cookie: a=b", b"X: \x1b[0m")
def test_rfc9112_5_a_field_line_of_a_response_that_is_none_is_502(stage, line):
    """A field line that readers could take for another, or for none, is not passed on."""
    assert stage.answers(response(line, b"Content-Length: 5", content=b"hello"), closes=True).status == 502


@cases("octets", response(b"X: " + b"a" * 70_000), response(*[b"X: 1"] * 300), response(b"X" * 70_000 + b": 1"))
def test_rfc9110_15_6_3_a_response_with_too_large_fields_is_502(stage, octets):
    """A head that no client would take is not passed on, nor kept."""
    assert stage.answers(octets, closes=True).status == 502


def test_rfc9110_5_3_fields_of_a_response_keep_their_order(stage):
    """Lines of the same name are passed on in their order, with their values as they were."""
    message = stage.answers(response(b"Set-Cookie: a=1", b"X:\tb \xff ", b"set-cookie: c=3", b"Content-Length: 0", b"X: "))
    assert message.all(b"set-cookie") == [b"a=1", b"c=3"] and message.all(b"x") == [b"b \xff", b""]


@cases("lines", (b"Connection: X-Hop", b"X-Hop: 1"), (b"Connection: close, x-hop", b"X-Hop: 1"), (b"X-Hop: 1", b"Connection: keep-alive, X-HOP"))
def test_rfc9110_7_6_1_nominated_fields_of_a_response_are_not_passed_on(stage, lines):
    """An intermediary MUST remove Connection and every field that it names."""
    message = stage.answers(response(*lines, b"Content-Length: 0"))
    assert message.get(b"x-hop") is None and b"x-hop" not in message.options


@cases("line", b"Keep-Alive: timeout=5", b"Proxy-Connection: close", b"Upgrade: h2c", b"TE: trailers")
def test_rfc9110_7_6_1_fields_of_the_origins_connection_are_not_passed_on(stage, line):
    """Fields that concern one connection end there."""
    message = stage.answers(response(line, b"Content-Length: 0"))
    assert message.get(line.partition(b":")[0].lower()) is None and message.goes_on


def test_rfc9110_6_6_1_date_is_added(stage):
    """A recipient with a clock that gets a response without Date MUST add one when it forwards it."""
    assert stage.answers(response(b"Content-Length: 0")).get(b"date").endswith(b" GMT")
    date = b"Tue, 15 Nov 1994 08:12:31 GMT"
    assert stage.answers(response(b"Date: " + date, b"Content-Length: 0")).all(b"date") == [date]


# RFC 9112 §6: message body


@cases("lines", (b"Content-Length: 5", b"Transfer-Encoding: chunked"), (b"Transfer-Encoding: chunked", b"Content-Length: 5"),
       (b"Content-Length: 5", b"Content-Length: 6"), (b"Content-Length: 5", b"Content-Length: 5"), (b"Content-Length: 5, 5",), (b"Content-Length: 5, 6",),
       (b"Content-Length:",), (b"Content-Length: +5",), (b"Content-Length: -5",), (b"Content-Length: 0x5",), (b"Content-Length: 5x",), (b"Content-Length: 05",),
       (b"Content-Length: 5 5",), (b"Content-Length: five",), (b"Content-Length: 99999999999999999999",), (b"Content-Length: 1_0",),
       (b"Transfer-Encoding: gzip",), (b"Transfer-Encoding: identity",), (b"Transfer-Encoding: gzip, chunked",), (b"Transfer-Encoding: chunked, gzip",),
       (b"Transfer-Encoding: chunked, chunked",), (b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"), (b"Transfer-Encoding: xchunked",),
       (b"Transfer-Encoding:",), (b"Transfer-Encoding: chunked;q=1",), (b"Transfer-Encoding: \"chunked\"",), (b"Transfer-Encoding: ,chunked",))
def test_rfc9112_6_3_a_response_whose_length_is_in_doubt_is_502(stage, lines):
    """A proxy that receives an invalid Content-Length MUST close the connection, discard the response and send 502."""
    message = stage.answers(response(*lines, content=b"5\r\nhello\r\n0\r\n\r\n" + STRAY), closes=True)
    assert message.status == 502 and b"hello" not in message.content


def test_rfc9112_6_1_a_response_of_http_1_0_has_no_transfer_coding(stage):
    """Transfer-Encoding in a message of HTTP/1.0 makes its framing faulty."""
    octets = response(b"Transfer-Encoding: chunked", start=b"HTTP/1.0 200 OK", content=b"5\r\nhello\r\n0\r\n\r\n")
    assert stage.answers(octets, closes=True).status == 502


@cases("size", 0, 1, 1000, 16_383, 16_384, 65_536, 300_000)
def test_rfc9112_6_2_content_with_a_length_is_passed_on(stage, size):
    """Content-Length says how many octets the content has, and the connection goes on behind them."""
    message = stage.answers(response(b"Content-Length: %d" % size, content=b"x" * size))
    assert message.content == b"x" * size and message.all(b"content-length") == [b"%d" % size] and message.goes_on


@cases("size", 0, 1, 1000, 70_000)
def test_rfc9112_6_3_content_that_ends_with_the_connection_becomes_chunks(stage, size):
    """Without framing a response ends with its connection; the client sees its end and keeps its own."""
    message = stage.answers(response(content=b"x" * size), closes=True)
    assert message.content == b"x" * size and message.all(b"transfer-encoding") == [b"chunked"] and message.goes_on


@cases("size", 0, 1, 70_000)
def test_rfc9112_6_3_content_that_ends_with_the_connection_ends_that_of_http_1_0(stage, size):
    """HTTP/1.0 has no chunks: the end of the connection is the end of the content."""
    message = stage.answers(response(content=b"x" * size), closes=True, version=b"1.0", fields=b"Connection: keep-alive\r\n")
    assert message.content == b"x" * size and not message.goes_on and message.get(b"transfer-encoding") is None


def test_rfc9112_7_a_chunked_response_is_decoded_for_http_1_0(stage):
    """A server MUST NOT send Transfer-Encoding to a client of HTTP/1.0."""
    octets = response(b"Transfer-Encoding: chunked", content=b"5\r\nhello\r\n0\r\nX: 1\r\n\r\n")
    message = stage.answers(octets, version=b"1.0", fields=b"Connection: keep-alive\r\n")
    assert message.content == b"hello" and message.get(b"transfer-encoding") is None and message.trailers == []


@cases("method", b"GET", b"HEAD")
@cases("octets", OK[:-2] + b"ok" + STRAY, response(b"Transfer-Encoding: chunked", content=b"2\r\nok\r\n0\r\n\r\n") + STRAY, response(b"Content-Length: 0") + STRAY,
       response(b"Content-Length: 0") + b"x")
def test_rfc9112_9_2_octets_behind_a_response_answer_nobody(stage, method, octets):
    """What comes behind a response that nobody asked for is thrown away with its connection."""
    message = stage.answers(octets, method=method)
    assert message.status == 200 and b"stray" not in message.content and message.goes_on


@cases("status", b"204 No Content", b"304 Not Modified")
@cases("tail", b"", b"hello", STRAY, b"5\r\nhello\r\n0\r\n\r\n", b"HTTP/1.1 500 X\r\n\r\n")
@cases("line", b"X: 1", b"Content-Length: 5", b"Transfer-Encoding: chunked", b"Content-Length: 0")
def test_rfc9112_6_3_a_response_without_content_ends_with_its_head(stage, status, tail, line):
    """204 and 304 are ended by the empty line behind the fields, whatever those say; the rest answers nobody."""
    message = stage.answers(response(line, start=b"HTTP/1.1 " + status, content=tail))
    assert message.status == int(status[:3]) and message.goes_on
    assert message.get(b"transfer-encoding") is None
    assert message.status == 304 or message.get(b"content-length") is None, "RFC 9110 §8.6: a 204 has no length"


@cases("tail", b"", b"hello", STRAY)
@cases("lines", (b"Content-Length: 5",), (b"Transfer-Encoding: chunked",), (), (b"Content-Length: 5", b"Connection: close"))
def test_rfc9110_9_3_2_a_response_to_head_has_no_content(stage, tail, lines):
    """A server MUST NOT send content to HEAD, and a proxy that gets some does not pass it on."""
    message = stage.answers(response(*lines, content=tail), method=b"HEAD")
    assert message.status == 200 and message.content == b"" and message.goes_on
    assert message.get(b"content-length") == (b"5" if lines[:1] == (b"Content-Length: 5",) else None)


@cases("octets", b"GET /\x01 HTTP/1.1\r\n", b"HEAD / HTTP/1.1\r\nHost: a b\r\n\r\n", b"HEAD / HTTP/1.1\r\n\r\n", b"HEAD /%00 HTTP/1.1\r\nHost: a\r\n\r\n",
       b"HEAD / HTTP/1.1\r\nHost: a\r\nX : 1\r\n\r\n", b"HEAD /.. HTTP/1.1\r\nHost: a\r\n\r\n", b"HEAD / HTTP/1.1\r\nHost: a\r\nExpect: x\r\n\r\n",
       b"HEAD / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nx")
def test_rfc9110_9_3_2_an_error_for_head_has_no_content(stage, octets):
    """A server MUST NOT send content in the response to HEAD, a refused one too."""
    with stage.connect() as peer:
        peer.send(octets)
        head, _, content = peer.read_to_end().partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 4") and (content == b"") == octets.startswith(b"HEAD"), (head, content)


@pytest.mark.parametrize("cut", [b"Content-Length: 9\r\n\r\nhello", b"Content-Length: 100000\r\n\r\nhello", b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
                                 b"Transfer-Encoding: chunked\r\n\r\n5\r\nhel", b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n",
                                 b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX: 1\r\n", b"Transfer-Encoding: chunked\r\n\r\n",
                                 b"Content-Length: 5\r\n\r\n"])
def test_rfc9112_8_a_response_that_is_cut_never_looks_whole(stage, cut):
    """An incomplete response MUST be seen as such by the client."""
    target = stage.target(b"HTTP/1.1 200 OK\r\n" + cut, closes=True)
    with stage.connect() as peer:
        peer.send(b"GET " + target + b" HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n")
        octets = b""
        try:
            octets = peer.read_to_end()
        except ConnectionResetError:
            pass
        with pytest.raises(strict.Incomplete):
            message, _ = strict.read_response(octets, ended=False)
            if message.status == 502:
                raise strict.Incomplete


# RFC 9112 §7: chunked


@cases("body", b"x\r\n", b"-1\r\n", b"+5\r\nhello\r\n0\r\n\r\n", b"0x5\r\nhello\r\n0\r\n\r\n", b"5 \r\nhello\r\n0\r\n\r\n", b" 5\r\nhello\r\n0\r\n\r\n", b"5\nhello\r\n0\r\n\r\n",
       b"5\r\nhello\n0\r\n\r\n", b"5\r\nhelloX\r\n0\r\n\r\n", b"ffffffffffffffff\r\nhello", b"5;\r\nhello\r\n0\r\n\r\n", b"5;a=\"\r\nhello\r\n0\r\n\r\n", b"\r\n5\r\nhello\r\n0\r\n\r\n",
       b"5\r\nhello\r\n0\r\nX : 1\r\n\r\n", b"5\r\nhello\r\n0\r\n X: 1\r\n\r\n", b"5\r\nhello\r\n0\r\n\n", b"5\r\nhello\r\n0\n\n", b"5\r\nhello0\r\n\r\n", b"5\r\nhello\r\n\x00\r\n\r\n",
       b"10000000000000000\r\n", b"5;a\x00\r\nhello\r\n0\r\n\r\n", b"5\rhello\r\n0\r\n\r\n", b"5\r\nhello\r\n0\r\nX: \x00\r\n\r\n")
def test_rfc9112_7_1_a_response_with_broken_chunks_never_looks_whole(stage, body):
    """What is no chunk is the end of what can be known of the message."""
    target = stage.target(response(b"Transfer-Encoding: chunked", content=body + STRAY))
    with stage.connect() as peer:
        peer.send(b"GET " + target + b" HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n")
        octets = b""
        try:
            octets = peer.read_to_end()
        except ConnectionResetError:
            pass
        assert octets.startswith(b"HTTP/1.1 502 ") or not octets.endswith(b"0\r\n\r\n"), octets
        assert b"stray" not in octets


@cases("body", (b"0\r\n\r\n", b""), (b"5\r\nhello\r\n0\r\n\r\n", b"hello"), (b"1;a=\"b\\\"\"\r\nx\r\n000;c\r\n\r\n", b"x"), (b"A\r\n0123456789\r\n0\r\n\r\n", b"0123456789"),
       (b"1\r\nx\r\n" * 3000 + b"0\r\n\r\n", b"x" * 3000), (b"00000F\r\n\r\n0\r\n\r\n\r\n0\r\n\r\n\r\n\r\n0\r\n\r\n", b"\r\n0\r\n\r\n\r\n0\r\n\r\n"))
def test_rfc9112_7_1_a_chunked_response_is_passed_on(stage, body):
    """The content is what the chunks hold; extensions stop here."""
    if body[1].startswith(b"\r\n"):
        body = (b"%x\r\n" % len(body[1]) + body[1] + b"\r\n0\r\n\r\n", body[1])
    message = stage.answers(response(b"Transfer-Encoding: chunked", content=body[0]))
    assert message.content == body[1] and message.goes_on


def test_rfc9110_6_5_trailer_fields_of_a_response_are_passed_on(stage):
    """Trailer fields are kept apart from the fields, and those that may not be there are dropped."""
    octets = response(b"Transfer-Encoding: chunked", b"Trailer: X-Sum", content=b"2\r\nok\r\n0\r\nX-Sum: 1\r\nContent-Length: 9\r\nSet-Cookie: a=b\r\nLocation: /x\r\n"
                      b"Transfer-Encoding: chunked\r\nx-sum: 2\r\n\r\n")
    message = stage.answers(octets)
    assert message.trailers == [(b"x-sum", b"1"), (b"x-sum", b"2")] and message.get(b"set-cookie") is None


# RFC 9112 §9: persistence


@cases("lines", (b"Connection: close",), (b"Connection: Close",), (b"Connection: keep-alive, close",), (b"Connection: close", b"Connection: keep-alive"), (b"Connection: x,close ",))
def test_rfc9112_9_6_close_of_the_origin_concerns_its_connection_alone(stage, lines):
    """After close a client MUST NOT send more requests on that connection; our client's own goes on."""
    before = stage.origin.connections
    message = stage.answers(response(*lines, b"Content-Length: 2", content=b"ok"))
    assert message.goes_on and stage.origin.connections > before


@cases("start", b"HTTP/1.0 200 OK", b"HTTP/1.0 404 Not Found")
def test_rfc9112_9_3_a_response_of_http_1_0_ends_the_connection_unless_it_says_otherwise(stage, start):
    """HTTP/1.0 persists only with keep-alive; the client gets HTTP/1.1 all the same."""
    stage.answers(OK)
    before = stage.origin.connections
    message = stage.answers(response(b"Content-Length: 2", start=start, content=b"ok"))
    assert message.version == b"1.1" and message.goes_on and stage.origin.connections == before + 1
    before = stage.origin.connections
    message = stage.answers(response(b"Content-Length: 2", b"Connection: keep-alive", start=start, content=b"ok"))
    assert message.goes_on and stage.origin.connections == before


# RFC 9110 §15.2: interim responses


def interim(status, *lines):
    return b"\r\n".join([b"HTTP/1.1 " + status, *lines, b"", b""])


@cases("statuses", (b"100 Continue",), (b"102 Processing",), (b"103 Early Hints",), (b"199 X",), (b"100 Continue", b"103 Early Hints", b"103 Early Hints"), (b"103 Early Hints",) * 200)
def test_rfc9110_15_2_interim_responses_are_passed_on(stage, statuses):
    """A proxy MUST forward 1xx responses, in their order, before the final one."""
    message = stage.answers(b"".join(interim(status, b"Link: </%d>" % number) for number, status in enumerate(statuses)) + OK)
    assert [(one.status, one.get(b"link")) for one in message.interim] == [(int(status[:3]), b"</%d>" % number) for number, status in enumerate(statuses)]
    assert message.content == b"ok" and message.goes_on


def test_rfc9110_15_2_http_1_0_gets_no_interim_response(stage):
    """A server MUST NOT send a 1xx response to a client of HTTP/1.0."""
    message = stage.answers(interim(b"100 Continue") + interim(b"103 Early Hints") + OK, version=b"1.0")
    assert message.interim == [] and message.content == b"ok"


@cases("lines", (b"Content-Length: 5",), (b"Transfer-Encoding: chunked",), (b"Content-Length: 0",))
def test_rfc9112_6_3_an_interim_response_has_no_content(stage, lines):
    """1xx ends with its head, and no framing field of it is passed on."""
    message = stage.answers(interim(b"103 Early Hints", *lines) + OK)
    assert [one.status for one in message.interim] == [103] and message.content == b"ok"
    assert all(one.get(b"content-length") is None and one.get(b"transfer-encoding") is None for one in message.interim)
    with_content = interim(b"103 Early Hints", *lines) + b"hello" + OK
    assert stage.answers(with_content, closes=True).status == 502


@cases("octets", b"HTTP/1.1 100\n\n", b"HTTP/1.1 103 Early Hints\r\nX : 1\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\n X: 1\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\nx")
def test_rfc9110_15_2_an_interim_response_that_is_none_is_502(stage, octets):
    """Interim responses are read as strictly as final ones."""
    assert stage.answers(octets + OK, closes=True).status == 502


@cases("octets", interim(b"101 Switching Protocols", b"Upgrade: x", b"Connection: upgrade"), interim(b"101 Switching Protocols"))
def test_rfc9110_7_8_a_101_that_nobody_asked_for_is_502(stage, octets):
    """A server MUST NOT switch to a protocol that the client did not ask for."""
    assert stage.answers(octets + OK, closes=True).status == 502


# Slow and split


@cases("octets", OK, response(b"Transfer-Encoding: chunked", content=b"5;a=b\r\nhello\r\n0\r\nX: 1\r\n\r\n"), interim(b"103 Early Hints", b"Link: </a>") + OK)
def test_rfc9112_4_a_response_may_come_octet_by_octet(stage, octets):
    """Where octets are split on their way means nothing."""

    def drip(peer, head):
        for octet in octets:
            peer.send(bytes([octet]))
        peer.fill()

    target = stage.target(drip)
    with stage.connect() as peer:
        peer.send(b"GET " + target + b" HTTP/1.1\r\nHost: a.test\r\n\r\n")
        while (message := read_response(peer)).status < 200:
            pass
        assert message.content in (b"ok", b"hello")
