"""How requests are read (RFC 9112 §2 to §7, RFC 9110 §4 to §7): what has one meaning passes, and nothing else does."""

from stage import cases
from weir import TLS_EVERYWHERE


def get(*lines, start=b"GET / HTTP/1.1"):
    """A request with these field lines behind Host."""
    return b"\r\n".join([start, b"Host: a.test", *lines, b"", b""])


def post(*lines, content=b""):
    return get(*lines, start=b"POST / HTTP/1.1") + content


def chunked(body):
    return post(b"Transfer-Encoding: chunked", content=body)


CONTROLS = [bytes([octet]) for octet in (*range(9), *range(11, 13), *range(14, 32), 127)]
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: a.test\r\n\r\n"


# RFC 9112 §2: messages


@cases("octets",
       b"GET / HTTP/1.1\nHost: a.test\r\n\r\n",
       b"GET / HTTP/1.1\r\nHost: a.test\n\r\n",
       b"GET / HTTP/1.1\r\nHost: a.test\r\n\n",
       b"GET / HTTP/1.1\r\nHost: a.test\nX: 1\r\n\r\n",
       b"GET / HTTP/1.1\r\nHost: a.test\r\nX: 1\nTransfer-Encoding: chunked\r\n\r\n",
       b"GET / HTTP/1.1\n\nHost: a.test\r\n\r\n",
       b"GET / HTTP/1.1\nHost: a.test\n\n",
       b"GET /\nHTTP/1.1\r\nHost: a.test\r\n\r\n",
       b"\nGET / HTTP/1.1\r\nHost: a.test\r\n\r\n",
       b"\r\n\nGET / HTTP/1.1\r\nHost: a.test\r\n\r\n",
       b"GET / HTTP/1.1\r\nHost: a.test\r\nX: barn\n\nTransfer-Encoding: chunked\r\n\r\n")
def test_rfc9112_2_2_a_bare_lf_ends_no_line(stage, octets):
    """A recipient MAY take a lone LF for a line end: we do not, as others might not."""
    stage.refuses(octets, 400)


@cases("octets",
       b"GET / HTTP/1.1\rHost: a.test\r\n\r\n",
       b"GET / HTTP/1.1\r\rHost: a.test\r\n\r\n",
       b"GET / HTTP/1.1\r\nHost: a.test\rX: 1\r\n\r\n",
       b"GET / HTTP/1.1\r\nHost: a.test\r\nX: a\rb\r\n\r\n",
       b"GET / HTTP/1.1\r\nHost: a.test\r\nX: 1\r\r\n\r\n",
       b"GET / HTTP/1.1\r\nHost: a.test\r\n\rX: 1\r\n\r\n",
       b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\r\n",
       b"GET / HTTP/1.1\r\nHost: a.test\r\nFoo: bar\r\n\rTransfer-Encoding: chunked\r\n\r\n",
       b"GET / HTTP/1.1\r\nHost: a.test\r\nTra\rnsfer-Encoding: chunked\r\n\r\n",
       b"\rGET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
def test_rfc9112_2_2_a_bare_cr_is_refused(stage, octets):
    """A recipient of a bare CR MUST consider that element invalid, or replace it: we refuse."""
    stage.refuses(octets, 400)


def test_rfc9112_2_2_an_empty_line_before_the_request_line_is_ignored(stage):
    """A server SHOULD ignore at least one empty line received before the request line."""
    record, _ = stage.forwards(b"\r\n" + get())
    assert record.path == b"/"


@cases("octets", b"\r\n\r\n" + get(), b"\r\n \r\n" + get(), b" \r\n" + get(), b"   \r\n\r\n")
def test_rfc9112_2_2_more_than_one_empty_line_is_refused(stage, octets):
    """Nothing but one empty line may stand before a request line."""
    stage.refuses(octets, 400)


@cases("octets",
       b"GET / HTTP/1.1\r\n Host: a.test\r\n\r\n",
       b"GET / HTTP/1.1\r\n\tHost: a.test\r\n\r\n",
       b"GET / HTTP/1.1\r\n \r\nHost: a.test\r\n\r\n",
       b"GET / HTTP/1.1\r\n Transfer-Encoding: chunked\r\nHost: a.test\r\n\r\n",
       b"POST / HTTP/1.1\r\n\tContent-Length: 1\r\nHost: a.test\r\n\r\nX")
def test_rfc9112_2_2_white_space_before_the_first_field_is_refused(stage, octets):
    """White space between the start-line and the first field line MUST be refused or ignored: we refuse."""
    stage.refuses(octets, 400)


@cases("version", b"HTTP/1.01", b"HTTP/01.1", b"HTTP/01.01", b"HTTP/1.10", b"HTTP/11", b"HTTP/1", b"HTTP/1.", b"HTTP/.1",
       b"HTTP/", b"HTTP", b"http/1.1", b"Http/1.1", b"HTTPS/1.1", b"HTTP/1,1", b"HTTP/1.1a", b"HTTP/ 1.1", b"HTTP /1.1",
       b"HTTP/1 .1", b"HTTP/1.1 ", b"HTTP/1.1\t", b" HTTP/1.1", b"HTTP/-1.1", b"HTTP/+1.1", b"HTTP/1.x", b"HTTP/a.1",
       b"HTTP/1.1\x00", b"HTTP/1.1HTTP/1.1", b"HTTP/1.1 HTTP/1.1", b"ICY/1.1", b"RTSP/1.0", b"SIP/2.0", b"",
       b"HTTP/10.1", b"HTTP\\1.1", b"HTTP/1.1;", b"HTTP/4294967297.1", b"HTTP/1.4294967297")
def test_rfc9112_2_3_a_version_has_one_spelling(stage, version):
    """HTTP-version is `HTTP/DIGIT.DIGIT`, case-sensitive."""
    stage.refuses(get(start=b"GET / " + version), 400)


@cases("version", b"HTTP/0.9", b"HTTP/2.0", b"HTTP/3.0", b"HTTP/9.9", b"HTTP/0.0", b"HTTP/2.1")
def test_rfc9110_15_6_6_another_major_version_is_505(stage, version):
    """505: the major version is not supported."""
    stage.refuses(get(start=b"GET / " + version), 505)


@cases("version", b"HTTP/1.2", b"HTTP/1.9")
def test_rfc9110_2_5_a_higher_minor_version_is_read_as_1_1(stage, version):
    """A message of a higher minor version is processed as if it were of the highest that is supported."""
    stage.forwards(get(start=b"GET / " + version))


@cases("octets", b"PRI * HTTP/1.1\r\nHost: a.test\r\n\r\n", b"pri * HTTP/1.1\r\nHost: a.test\r\n\r\n", b"PRI * HTTP/1.0\r\n\r\n")
def test_rfc9113_3_4_what_only_begins_like_the_preface_of_http_2_is_400(stage, octets):
    """`PRI *` is nothing but the start of HTTP/2's connection preface."""
    stage.refuses(octets, 400)


# RFC 9112 §3: request line


@cases("start",
       b"GET / HTTP/1.1 x", b"GET  / HTTP/1.1", b"GET /  HTTP/1.1", b" GET / HTTP/1.1", b"\tGET / HTTP/1.1",
       b"GET\t/ HTTP/1.1", b"GET /\tHTTP/1.1", b"GET\t/\tHTTP/1.1", b"GET\x0b/ HTTP/1.1", b"GET\x0c/ HTTP/1.1",
       b"GET /a b HTTP/1.1", b"GET / HTTP/1.1 HTTP/1.1", b"GET HTTP/1.1", b"GET  HTTP/1.1", b"GET /", b"GET / ", b"GET",
       b"/ HTTP/1.1", b"HTTP/1.1", b"GET / /b HTTP/1.1", b"GET\xa0/ HTTP/1.1", b"GET\xc2\xa0/ HTTP/1.1",
       b"GET /\x00 HTTP/1.1", b"\x00GET / HTTP/1.1", b"GET\x00 / HTTP/1.1", b"GET /\x7f HTTP/1.1", b"GET /\x1f HTTP/1.1",
       b"GET / HTTP/1.1\x00", b"Extra lineGET / HTTP/1.1", b"{\"a\": 1}", b"<html>", b"GET / \xff HTTP/1.1")
def test_rfc9112_3_a_request_line_has_one_form(stage, start):
    """`method SP request-target SP HTTP-version`: an invalid request line SHOULD be answered with 400."""
    stage.refuses(get(start=start), 400)


@cases("method", b"G@T", b"G(T", b"G)T", b"G,T", b"G/T", b"G:T", b"G;T", b"G<T", b"G=T", b"G>T", b"G?T", b"G[T", b"G\\T",
       b"G]T", b"G{T", b"G}T", b"G\"T", b"GE\x00T", b"GE\x80T", b"\xc3\xa9", b"G=\":<>(e),[T];?\"", b"", b"\xef\xbb\xbfGET")
def test_rfc9110_9_1_a_method_is_a_token(stage, method):
    """method = token."""
    stage.refuses(get(start=method + b" / HTTP/1.1"), 400)


@cases("method", b"get", b"Get", b"FOOBAR", b"PROPFIND", b"M-SEARCH", b"!#$%&'*+-.^_`|~09azAZ", b"X", b"QUERY", b"PATCH",
       b"DELETE", b"PUT", b"OPTIONS", b"UPDATEREDIRECTREF", b"head", b"HEADER", b"CONNECTED", b"TRACES")
def test_rfc9110_9_1_a_method_is_forwarded_as_it_is_spelt(stage, method):
    """Methods are case-sensitive, and a gateway leaves it to the origin which it knows."""
    record, _ = stage.forwards(get(start=method + b" / HTTP/1.1"))
    assert record.method == method


@cases("length", 33, 100, 1000, 20_000, 100_000)
def test_rfc9112_3_a_method_that_is_too_long_is_501(stage, length):
    """A method longer than any that is implemented SHOULD be answered with 501."""
    stage.refuses(get(start=b"A" * length + b" / HTTP/1.1"), 501)


@cases("length", 8000, 16_000, 16 * 1024)
def test_rfc9112_3_long_targets_are_supported(stage, length):
    """Request lines of at least 8000 octets are RECOMMENDED to be supported."""
    target = b"/" + b"a" * (length - 1)
    record, _ = stage.forwards(get(start=b"GET " + target + b" HTTP/1.1"))
    assert record.target == target


@cases("length", 16 * 1024 + 1, 40_000, 100_000, 300_000)
def test_rfc9110_15_5_15_a_target_that_is_too_long_is_414(stage, length):
    """A request-target longer than any that is parsed MUST be answered with 414."""
    stage.refuses(get(start=b"GET /" + b"a" * (length - 1) + b" HTTP/1.1"), 414)
    stage.refuses(get(start=b"GET /?" + b"a" * (length - 2) + b" HTTP/1.1"), 414)


# RFC 9112 §3.2: request target


@cases("target", b"path", b"?a=b", b"a/b", b"\\", b"!", b"..", b"./", b"host:80", b"a.test", b"http:", b"http:/", b"http://",
       b"http:///", b"http:///path", b"http:a.test", b"http:/a.test/", b"//\\x", b"*a", b"**", b"*/", b"ftp://a.test/",
       b"ws://a.test/", b"javascript:alert(1)", b"file:///etc/passwd", b"http//a.test/", b"://a.test/", b":80", b"@", b"h*",
       b"HTTP/1.1", b"http;//a.test/", b"httpx://a.test/", b"\xff/")
def test_rfc9112_3_2_a_target_has_one_of_four_forms(stage, target):
    """A target in none of the forms that suit the method SHOULD be answered with 400."""
    stage.refuses(get(start=b"GET " + target + b" HTTP/1.1"), 400)


@cases("target", b"/#", b"/a#b", b"/?a#b", b"/a?b#c", b"http://a.test/#b", b"#")
def test_rfc9112_3_2_a_fragment_is_refused(stage, target):
    """No form of a target has a fragment."""
    stage.refuses(get(start=b"GET " + target + b" HTTP/1.1"), 400)


@cases("octet", *CONTROLS, b"\x80", b"\xa0", b"\xc3\xa9", b"\xff")
def test_rfc9112_3_2_a_target_is_visible_ascii(stage, octet):
    """Controls and octets beyond ASCII are not in the grammar of a target."""
    stage.refuses(get(start=b"GET /a" + octet + b"b HTTP/1.1"), 400)
    stage.refuses(get(start=b"GET /?a" + octet + b"b HTTP/1.1"), 400)


@cases("target", b"/", b"/a/b", b"/a?b=c", b"/?", b"/a?", b"/?a=/../b", b"/a;p=1", b"/a,b", b"/:@", b"//", b"//a", b"/a//b",
       b"/~a", b"/%41%42", b"/?%zz", b"/?a=b?c", b"/?a[]=1&b={x|y}", b"/!$&'()*+,;=", b"/a/", b"/http://b.test/", b"/*")
def test_rfc9112_3_2_1_an_origin_form_is_forwarded(stage, target):
    """The target of a request reaches the origin with the same meaning."""
    record, _ = stage.forwards(get(start=b"GET " + target + b" HTTP/1.1"))
    assert record.target == target.replace(b"%41%42", b"AB")


@cases("target", b"/%00", b"/a%00b", b"/%2f", b"/a%2Fb", b"/%", b"/%4", b"/%zz", b"/a%2", b"/%u0041", b"/..", b"/../a",
       b"/a/../../b", b"/%2e%2e/a", b"/.%2e", b"/a/%2e%2e/%2e%2e/b", b"/a\\b", b"/a%5cb", b"/a/..;x/b", b"/.;/a", b"/%2e%2e;/a",
       b"/..%3bx", b"/%c0%af", b"/%C1%9C", b"/%c0%ae%c0%ae/a", b"/%e0%80%af", b"/%f0%80%80%af", b"/%0d%0aa", b"/a%09", b"/%7f")
def test_rfc3986_6_2_2_a_path_with_no_one_meaning_is_refused(stage, target):
    """Broken encoding, encoded controls or separators, parameters of dot segments and paths above the root are read in two ways."""
    stage.refuses(get(start=b"GET " + target + b" HTTP/1.1"), 400)


@cases("case", (b"http://b.test/x", b"/x", b"b.test"), (b"http://b.test", b"/", b"b.test"),
       (b"HTTP://B.test/x?y", b"/x?y", b"B.test"), (b"http://b.test:8080/", b"/", b"b.test:8080"),
       (b"http://b.test?q", b"/?q", b"b.test"), (b"http://[::1]:80/x", b"/x", b"[::1]:80"),
       (b"http://127.0.0.1/", b"/", b"127.0.0.1"), (b"http://b.test/a/../b", b"/b", b"b.test"),
       (b"http://b.test:/", b"/", b"b.test:"))
def test_rfc9112_3_2_2_the_authority_of_an_absolute_form_replaces_host(stage, case):
    """A recipient of an absolute-form MUST ignore Host and use the authority of the target."""
    target, path, authority = case
    record, _ = stage.forwards(get(start=b"GET " + target + b" HTTP/1.1"))
    assert (record.target, record.all(b"host")) == (path, [authority])
    assert record.get(b"x-forwarded-host") == authority


@cases("authority", b"user@b.test", b"user:pw@b.test", b"@b.test", b"b.test@", b"b test", b"b.test:x", b"b.test:0",
       b"b.test:65536", b"b.test:-1", b"b.test:80:80", b"b%2etest", b"[::1", b"::1", b"[::g]", b"[1.2.3.4]", b"b..test", b".b",
       b"b.test\\", b"b,c", b"b_\x80", b"[fe80::1%25eth0]", b"[v1.x]", b"b.test:+80", b"b.test: 80", b"<b>", b"b\"c", b"b'c")
def test_rfc9112_3_2_2_an_authority_is_a_host_and_a_port(stage, authority):
    """Userinfo in an http URI is an error (RFC 9110 §4.2.4), and what else is no authority too."""
    stage.refuses(get(start=b"GET http://" + authority + b"/ HTTP/1.1"), 400)


@cases("lines", (), (b"Host: a.test", b"Host: a.test"), (b"Host: a b",))
def test_rfc9112_3_2_2_an_absolute_form_does_not_excuse_host(stage, lines):
    """A Host that is missing, repeated or invalid MUST be answered with 400, whatever the target."""
    stage.refuses(b"\r\n".join([b"GET http://b.test/ HTTP/1.1", *lines, b"", b""]), 400)


@cases("target", b"https://a.test/", b"HTTPS://a.test", b"https://a.test:443/x?y")
def test_rfc9110_7_4_https_over_a_connection_without_tls_is_421(stage, target):
    """A request for an https resource MUST be rejected unless it came over a secured connection."""
    stage.take_records()
    with stage.connect() as peer:
        status = peer.exchange(get(start=b"GET " + target + b" HTTP/1.1")).status
    if TLS_EVERYWHERE:
        assert status == 200 and len(stage.take_records()) == 1
        return
    assert status == 421
    assert stage.take_records() == []


@cases("target", b"a.test:80", b"a.test:443", b"[::1]:80", b"127.0.0.1:1")
def test_rfc9110_9_3_6_connect_is_405(stage, target):
    """CONNECT is for proxies: 405 with Allow, and what follows is no request, as it may be meant for the tunnel."""
    message = stage.refuses(get(start=b"CONNECT " + target + b" HTTP/1.1") + SMUGGLED, 405)
    assert b"CONNECT" not in message.get(b"allow")


@cases("target", b"/", b"*", b"a.test", b"http://a.test/", b"http://a.test:80", b":80", b"a.test:", b"a.test:0", b"u@a.test:80")
def test_rfc9112_3_2_3_connect_has_an_authority(stage, target):
    """The authority-form is host and port, and CONNECT has no other."""
    stage.refuses(get(start=b"CONNECT " + target + b" HTTP/1.1"), 400)


def test_rfc9110_9_3_8_trace_is_405(stage):
    """TRACE shows fields to whoever asks: 405 with Allow."""
    stage.take_records()
    with stage.connect() as peer:
        peer.send(get(b"Authorization: secret", start=b"TRACE / HTTP/1.1"))
        head = peer.read_response()
        assert head.status == 405 and "TRACE" not in head.get("allow") and b"secret" not in head.body
    assert stage.take_records() == []


@cases("method", b"GET", b"HEAD", b"POST", b"options", b"TRACE")
def test_rfc9112_3_2_4_an_asterisk_is_for_options(stage, method):
    """The asterisk-form is used with OPTIONS alone."""
    stage.refuses(get(start=method + b" * HTTP/1.1"), 400)


@cases("target", b"http://a.test", b"HTTP://b.test:80")
def test_rfc9112_3_2_4_options_of_an_authority_alone_is_that_of_the_asterisk(stage, target):
    """OPTIONS of an absolute-form without path and query stands for `*`, which is answered here."""
    stage.take_records()
    with stage.connect() as peer:
        head = peer.exchange(get(start=b"OPTIONS " + target + b" HTTP/1.1"))
        assert (head.status, head.get("content-length")) == (200, "0") and "GET" in head.get("allow")
    assert stage.take_records() == []
    for more, path in ((b"/", b"/"), (b"?x", b"/?x")):
        record, _ = stage.forwards(get(start=b"OPTIONS " + target + more + b" HTTP/1.1"))
        assert record.target == path


def test_rfc9110_9_3_7_options_for_the_server_is_answered_here(stage):
    """OPTIONS * asks what the server as a whole can do, and this is the server."""
    stage.take_records()
    with stage.connect() as peer:
        for _ in range(2):
            head = peer.exchange(get(start=b"OPTIONS * HTTP/1.1"))
            assert (head.status, head.get("content-length")) == (200, "0") and "GET" in head.get("allow")
    assert stage.take_records() == []


def test_rfc9110_7_6_2_options_with_no_forwards_left_is_answered_here(stage):
    """An intermediary MUST NOT forward OPTIONS with Max-Forwards of 0, and MUST answer itself."""
    stage.take_records()
    with stage.connect() as peer:
        head = peer.exchange(get(b"Max-Forwards: 0", start=b"OPTIONS /x HTTP/1.1"))
        assert head.status == 200 and "GET" in head.get("allow")
    assert stage.take_records() == []


@cases("numbers", (b"1", b"0"), (b"10", b"9"), (b"007", b"6"))
def test_rfc9110_7_6_2_max_forwards_of_options_counts_down(stage, numbers):
    """An intermediary MUST forward OPTIONS with a Max-Forwards that is one less."""
    record, _ = stage.forwards(get(b"Max-Forwards: " + numbers[0], start=b"OPTIONS /x HTTP/1.1"))
    assert record.all(b"max-forwards") == [numbers[1]]


def test_rfc9110_7_6_2_max_forwards_of_other_methods_is_left_alone(stage):
    """Max-Forwards MAY be ignored in requests other than TRACE and OPTIONS."""
    record, _ = stage.forwards(get(b"Max-Forwards: 0"))
    assert record.all(b"max-forwards") == [b"0"]


# RFC 9112 §3.2, RFC 9110 §7.2: Host


@cases("lines", (), (b"Host: a.test", b"Host: b.test"), (b"Host: a.test", b"Host: a.test"), (b"Host: a.test", b"hOsT: b"),
       (b"Host: a.test", b"X: y", b"Host:"), (b"Host:",), (b"Host: ",), (b"Host",), (b"X-Host: a.test",), (b"Hos: a",))
def test_rfc9112_3_2_host_is_there_once(stage, lines):
    """A request without Host, or with more than one, MUST be answered with 400."""
    stage.refuses(b"\r\n".join([b"GET / HTTP/1.1", *lines, b"", b""]), 400)


@cases("host", b"a b", b"a\tb", b"a/b", b"a/", b"/", b"a?b", b"a#b", b"a@b", b"user@a", b"user:pw@a", b"a,b", b"a, b", b"a;b",
       b"a:b", b"a:1:2", b"a:70000", b"a:0", b"a:-1", b"a:+1", b"a: 80", b"a :80", b":80", b":", b"a%41", b"a\\b", b"http://a",
       b"[::1", b"::1", b"[]", b"[::g]", b"[1::2::3]", b"[::1]x", b"[::1]:x", b"[1:2:3:4:5:6:7:8:9]", b"[::1%25lo]", b"[a]",
       b"a..b", b".a", b".", b"\xe9", b"\xc3\xa9.test", b"a\"b", b"<a>", b"a{b}", b"a|b", b"a^b", b"a`b", b"a'b", b"a!b",
       b"a$b", b"a&b", b"a(b", b"a*b", b"a=b", b"a~b", b"a+b", b"*", b"a" * 255, b"a.test:80a", b"a.test:000080")
def test_rfc9112_3_2_a_host_that_is_no_authority_is_400(stage, host):
    """A Host with an invalid value MUST be answered with 400; names hold only what all readers split alike."""
    stage.refuses(b"GET / HTTP/1.1\r\nHost: " + host + b"\r\n\r\n", 400)


@cases("host", b"a", b"A.TEST", b"a.test:80", b"a.test:65535", b"a.test:", b"127.0.0.1", b"127.0.0.1:8080", b"[::1]",
       b"[::1]:443", b"[2001:db8::1]", b"[::ffff:1.2.3.4]", b"a-b.c_d.test", b"a.test.", b"xn--bcher-kva.test", b"1", b"-a")
def test_rfc9110_7_2_a_valid_host_is_forwarded(stage, host):
    """The origin gets the authority that the client named."""
    record, _ = stage.forwards(b"GET / HTTP/1.1\r\nHost: " + host + b"\r\n\r\n")
    assert record.all(b"host") == [host]


def test_rfc9112_3_2_http_1_0_may_come_without_host(stage):
    """Host is a requirement of HTTP/1.1."""
    record, _ = stage.forwards(b"GET / HTTP/1.0\r\n\r\n")
    assert (record.version, record.all(b"host")) == (b"1.1", [b"main"]), "the upstream's name stands in"
    assert record.get(b"x-forwarded-host") is None


# RFC 9112 §5: field lines


@cases("line", b"X : 1", b"X\t: 1", b"X  : 1", b"Content-Length : 5", b"Transfer-Encoding : chunked", b"Host : b.test",
       b"Transfer-Encoding\t:\tchunked", b"Transfer-Encoding x: chunked", b"X\x0b: 1", b"X\x0c: 1", b"X\xa0: 1", b"X\x00: 1")
def test_rfc9112_5_1_white_space_before_the_colon_is_refused(stage, line):
    """A server MUST reject a request with white space between field name and colon with 400."""
    stage.refuses(post(line), 400)


@cases("line", b": 1", b":", b" : 1", b":Host: b", b"::", b": chunked")
def test_rfc9112_5_an_empty_name_is_refused(stage, line):
    """field-name = token: at least one octet."""
    stage.refuses(get(line), 400)


@cases("line", b"nonsense", b"X", b"Transfer-Encoding chunked", b"Transfer-Encoding", b"GET / HTTP/1.1", b"X; 1", b"X= 1",
       b"Content-Length 5", b"X\xef\xbc\x9a 1")
def test_rfc9112_5_a_line_without_a_colon_is_refused(stage, line):
    """field-line = field-name ":" OWS field-value OWS."""
    stage.refuses(get(line), 400)


@cases("octet", *[bytes([octet]) for octet in (*range(10), *range(11, 13), *range(14, 33), *b'"(),/;<=>?@[\\]{}', *range(127, 256))])
def test_rfc9110_5_1_a_name_is_a_token(stage, octet):
    """field-name = token; anything else hides a field from one reader and shows it to another."""
    stage.refuses(get(b"X" + octet + b"Y: 1"), 400)
    stage.refuses(post(b"Transfer-Encoding" + octet + b": chunked"), 400)
    stage.refuses(post(octet + b"Transfer-Encoding: chunked"), 400)


@cases("name", b"Transfer Encoding", b"Transfer\\Encoding", b"Transfer-%45ncoding ", b"Transf\x82r-Encoding", b"\"Transfer-Encoding\"",
       b"Transfer-Encoding\x00", b"Transfer\x00-Encoding", b"Content-Length\x00", b"Host\x00", b"Content\x00Length", b"Content Length")
def test_rfc9112_6_3_a_disguised_framing_field_is_refused(stage, name):
    """What only some readers take for a framing field reaches nobody."""
    stage.refuses(post(name + b": 5"), 400)


@cases("line", b"Transfer_Encoding: chunked", b"Content_Length: 5", b"TRANSFER_ENCODING: x", b"content_length: 0",
       b"Transfer_encoding: identity", b"Transfer.Encoding: chunked", b"content~length: 5", b"Content+Length: 5", b"transfer!encoding: x")
def test_rfc9112_6_3_a_framing_field_spelt_with_other_signs_is_refused(stage, line):
    """Gateways to CGI and its like make `-`, `_` and all other signs one: two readers would frame the message differently."""
    stage.refuses(post(line), 400)


@cases("octet", *CONTROLS)
def test_rfc9110_5_5_a_value_holds_no_controls(stage, octet):
    """CR, LF and NUL in a value are invalid and dangerous, and other controls are not in the grammar."""
    for value in (octet + b"x", b"x" + octet, b"x" + octet + b"y", octet):
        stage.refuses(get(b"X: " + value), 400)


@cases("line", b"Transfer-Encoding:\x0bchunked", b"Transfer-Encoding: \x0cchunked", b"Transfer-Encoding: chunked\x00",
       b"Content-Length: 5\x00", b"Content-Length: \x0b5", b"Host:\x00b", b"Transfer-Encoding: chunked\x0b", b"X: \x08")
def test_rfc9110_5_5_controls_hide_no_framing(stage, line):
    """A control in the value of a framing field is refused as in any other."""
    stage.refuses(post(line), 400)


@cases("value", b"", b" ", b"\t", b"a", b" a ", b"\ta\t", b"a b", b"a\tb", b"a  b", b"a,b", b"\"a\\\"b\"", b"\x80\xff", b"\xc3\xa9",
       b"a:b", b":", b"(c)", b"{}", b"\\", b"%00", b"a;b=\"c\"", b"a" * 60_000)
def test_rfc9110_5_5_a_value_is_forwarded_without_the_space_around_it(stage, value):
    """OWS is not part of the value; what is inside is not ours to change."""
    record, _ = stage.forwards(get(b"X-Value:" + value))
    assert record.all(b"x-value") == [value.strip(b" \t")]


def test_rfc9110_5_3_lines_of_one_name_keep_their_order(stage):
    """A proxy MUST NOT change the order of field lines with the same name."""
    record, _ = stage.forwards(get(b"X: 1", b"Y: 2", b"x: 3", b"Cookie: a=1", b"X: 4", b"Cookie: b=2"))
    assert record.all(b"x") == [b"1", b"3", b"4"] and record.all(b"cookie") == [b"a=1", b"b=2"]


@cases("lines", (b"X: 1", b" 2"), (b"X: 1", b"\t2"), (b"X:", b" 1"), (b"Transfer-Encoding:", b" chunked"),
       (b"Transfer-Encoding: chunked", b" , identity"), (b"Content-Length: 5", b" 6"), (b"X: 1", b" "), (b"X: 1", b"\t"),
       (b"Foo: bar", b" Transfer-Encoding: chunked"), (b"Foo: bar", b"\tContent-Length: 5"), (b"X: 1", b" : 2"))
def test_rfc9112_5_2_folded_lines_are_refused(stage, lines):
    """A server that receives obs-fold MUST either refuse it or unfold it: we refuse."""
    stage.refuses(post(*lines), 400)


@cases("octets", get(b"X: " + b"a" * 70_000), get(b"X" * 70_000 + b": 1"), get(*[b"X: 1"] * 100), get(*[b"X: 1"] * 10_000),
       get(*[b"X: " + b"a" * 6000] * 12))
def test_rfc6585_5_fields_that_are_too_large_are_431(stage, octets):
    """431: the field section, or one field, is larger than the server takes."""
    stage.refuses(octets, 431)


def test_rfc6585_5_a_hundred_fields_are_taken(stage):
    """As many field lines as the limit allows pass."""
    record, _ = stage.forwards(get(*[b"X: 1"] * 99))
    assert len(record.all(b"x")) == 99


# RFC 9112 §6: message body


@cases("lines",
       (b"Content-Length: 5", b"Transfer-Encoding: chunked"), (b"Transfer-Encoding: chunked", b"Content-Length: 5"),
       (b"Content-Length: 0", b"Transfer-Encoding: chunked"), (b"transfer-encoding: Chunked", b"content-length: 5"),
       (b"Content-Length: 5", b"X: 1", b"Transfer-Encoding: chunked"), (b"Content-Length: 5", b"Transfer-Encoding:\tchunked"),
       (b"Content-Length: 5", b"Transfer-Encoding: chunked "), (b"Content-Length: 5", b"Transfer-Encoding: chunked\t"),
       (b"Content-Length:", b"Transfer-Encoding: chunked"), (b"Content-Length: x", b"Transfer-Encoding: chunked"),
       (b"Content-Length: 5", b"Transfer-Encoding:"), (b"Content-Length: 5", b"Transfer-Encoding: identity"),
       (b"Connection: Transfer-Encoding", b"Content-Length: 5", b"Transfer-Encoding: chunked"),
       (b"Connection: Content-Length", b"Content-Length: 5", b"Transfer-Encoding: chunked"))
def test_rfc9112_6_3_content_length_with_transfer_encoding_is_refused(stage, lines):
    """Both in one message is an attempt at smuggling: we refuse it, which §6.1 allows, and close."""
    stage.refuses(post(*lines, content=b"0\r\n\r\n" + SMUGGLED), 400)


@cases("lines", (b"Content-Length: 5", b"Content-Length: 6"), (b"Content-Length: 5", b"Content-Length: 5"),
       (b"Content-Length: 5", b"content-length: 5"), (b"Content-Length: 5, 5",), (b"Content-Length: 5, 6",),
       (b"Content-Length: 5,",), (b"Content-Length: ,5",), (b"Content-Length: 5, 5, 5",), (b"Content-Length: 0", b"Content-Length: 5"),
       (b"Content-Length: 5", b"X: y", b"Content-Length: 0"), (b"Content-Length: 5", b"Content-Length:"),
       (b"Content-Length: 5;5",), (b"Content-Length: 5 5",))
def test_rfc9112_6_3_a_length_that_is_said_twice_is_refused(stage, lines):
    """Differing lengths MUST be refused; equal ones may, as no sender in use repeats them."""
    stage.refuses(post(*lines, content=b"hello" + SMUGGLED), 400)


@cases("value", b"", b" ", b"+5", b"-5", b"-0", b"-1", b"0x5", b"0X5", b"5h", b"5 ,", b"1_0", b"1 0", b"1e1", b"5.0", b"0o5", b"0b1",
       b"abc", b"five", b"'5'", b"\"5\"", b"\xb2", b"\xd9\xa5", b"05", b"00", b"005", b"0200", b"5;", b"5\x80", b"Infinity", b"NaN",
       b"5/", b"#5", b"5#", b"(5)", b"\xff", b"0x", b"5,\t5", b"%35", b"\\5")
def test_rfc9110_8_6_content_length_is_digits(stage, value):
    """Content-Length = 1*DIGIT; leading zeros are refused too, as some read them as octal."""
    stage.refuses(post(b"Content-Length: " + value, content=b"hello" + SMUGGLED), 400)


@cases("value", b"9223372036854775808", b"18446744073709551616", b"18446744073709551621", b"99999999999999999999", b"9" * 100,
       b"1" + b"0" * 1000)
def test_rfc9110_8_6_a_length_that_overflows_is_refused(stage, value):
    """A recipient MUST anticipate large numbers and prevent parsing errors due to overflow."""
    stage.refuses(post(b"Content-Length: " + value, content=b"hello"), 400, 413)


@cases("value", b"4294967301", b"9223372036854775807", b"1099511627776")
def test_rfc9110_15_5_14_content_that_is_too_large_is_413(stage, value):
    """413: the content is larger than the server takes; no octet of it is awaited."""
    stage.refuses(post(b"Content-Length: " + value, content=b"hello"), 413)


@cases("value", b"xchunked", b"chunke", b"chunkedx", b"chunk", b"x chunked", b"chunked x", b"cow", b"identity", b"gzip", b"deflate",
       b"\"chunked\"", b"'chunked'", b"chunked;", b"chunked;q=1", b"chunked;ext=val", b"chunked, chunked", b"chunked,chunked",
       b"chunked, gzip", b"chunked, identity", b"chunked,", b",chunked", b", chunked", b"chunked,,", b",", b"", b" ", b"identity, chunked, identity",
       b"cow chunked bar", b"[chunked]", b"{chunked}", b"(chunked)", b"ch\x96nked", b"\xffchunked", b"chunked\xff", b"\xa0chunked", b"chu,nked",
       b"chunked/", b"/chunked", b"chunked=", b"chunked:", b":chunked", b"@chunked", b"chunked@", b"trailers", b"close", b"null", b"0",
       b"c\xc5\xaf", b"chun\xe2\x84\xaaed", b"\xef\xbb\xbfchunked", b"chunked chunked", b"chunked\tchunked", b"chunked; chunked",
       b"chunked\\r\\n", b"%63hunked")
def test_rfc9112_6_1_a_transfer_coding_that_is_not_chunked_is_refused(stage, value):
    """Chunked, once and alone: without it as the last coding the length is unknown and the answer MUST be 400."""
    stage.refuses(post(b"Transfer-Encoding: " + value, content=b"0\r\n\r\n" + SMUGGLED), 400)


@cases("value", b"gzip, chunked", b"identity, chunked", b"x, chunked", b"deflate,chunked", b"compress, gzip, chunked")
def test_rfc9112_6_1_a_coding_that_is_not_understood_is_501(stage, value):
    """A transfer coding that is not understood SHOULD be answered with 501."""
    stage.refuses(post(b"Transfer-Encoding: " + value, content=b"0\r\n\r\n" + SMUGGLED), 501)


@cases("lines", (b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"), (b"Transfer-Encoding: chunked", b"Transfer-Encoding: x"),
       (b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity"), (b"Transfer-Encoding: x", b"Transfer-Encoding: chunked"),
       (b"Transfer-Encoding: identity", b"Transfer-Encoding: chunked"), (b"Transfer-Encoding: chunked", b"Transfer-Encoding:"),
       (b"Transfer-Encoding:", b"Transfer-Encoding: chunked"), (b"Transfer-encoding: cow", b"Transfer-Encoding: chunked"))
def test_rfc9112_6_1_transfer_encoding_in_two_lines_is_refused(stage, lines):
    """One line with chunked is what every sender writes; two are read differently."""
    stage.refuses(post(*lines, content=b"0\r\n\r\n" + SMUGGLED), 400)


@cases("line", b"Transfer-Encoding: chunked", b"transfer-encoding:chunked", b"TRANSFER-ENCODING: CHUNKED", b"Transfer-Encoding:\tchunked",
       b"Transfer-Encoding: chunked\t ", b"tRANSFER-ENCODING: cHuNkEd", b"Transfer-Encoding:     chunked")
def test_rfc9112_6_1_chunked_is_read_in_any_case(stage, line):
    """Names and codings are case-insensitive, and OWS is no part of the value."""
    record, _ = stage.forwards(post(line, content=b"5\r\nhello\r\n0\r\n\r\n"))
    assert (record.content, record.all(b"transfer-encoding")) == (b"hello", [b"chunked"])


@cases("lines", (b"Transfer-Encoding: chunked",), (b"Transfer-Encoding: chunked", b"Content-Length: 5"),
       (b"Transfer-Encoding: chunked", b"Connection: keep-alive"), (b"Transfer-Encoding: identity",))
def test_rfc9112_6_1_http_1_0_has_no_transfer_coding(stage, lines):
    """Transfer-Encoding in a message of HTTP/1.0 makes its framing faulty."""
    stage.refuses(get(*lines, start=b"POST / HTTP/1.0") + b"0\r\n\r\n" + SMUGGLED, 400)


@cases("line", b"Content-Encoding: chunked", b"TE: chunked", b"X-Transfer-Encoding: chunked", b"Trailer: Transfer-Encoding",
       b"Transfer-Encodin: chunked", b"Transfer--Encoding: chunked", b"TransferEncoding: chunked", b"X-Content-Length: 50")
def test_rfc9112_6_3_other_fields_frame_nothing(stage, line):
    """Framing comes from Content-Length and Transfer-Encoding alone."""
    record, _ = stage.forwards(post(line, b"Content-Length: 5", content=b"hello"))
    assert record.content == b"hello"


@cases("method", b"GET", b"HEAD", b"POST", b"DELETE", b"OPTIONS", b"PUT", b"PATCH", b"X")
@cases("framing", (b"Content-Length: 5", b"hello"), (b"Transfer-Encoding: chunked", b"5\r\nhello\r\n0\r\n\r\n"))
def test_rfc9112_6_3_content_is_read_whatever_the_method(stage, method, framing):
    """Framing does not depend on the method: content of GET is no second request."""
    record, _ = stage.forwards(get(framing[0], start=method + b" / HTTP/1.1") + framing[1])
    assert (record.method, record.content) == (method, b"hello")


@cases("method", b"GET", b"POST", b"PUT", b"X")
def test_rfc9112_6_3_a_request_without_framing_has_no_content(stage, method):
    """Neither field: the length is zero, and what follows is the next request."""
    stage.take_records()
    with stage.connect() as peer:
        peer.send(get(start=method + b" /1 HTTP/1.1") + get(start=b"GET /2 HTTP/1.1"))
        assert [peer.read_response().status for _ in range(2)] == [200, 200]
    assert [(record.target, record.content) for record in stage.take_records()] == [(b"/1", b""), (b"/2", b"")]


# RFC 9112 §7.1: chunked


@cases("size", b"", b" ", b" 5", b"5 ", b"\t5", b"5\t", b"+5", b"-5", b"-1", b"0x5", b"0X5", b"5h", b"x", b"G", b"1_0", b"5,", b"5.0", b"'5'",
       b"\"5\"", b"5\x00", b"\x005", b"5\x0b", b"\xef\xbc\x95", b"5_", b"_5", b"0_2e", b"5 5", b"5\r", b"#5", b"5=", b"5:", b"\xb2", b"zz", b"0o5")
def test_rfc9112_7_1_a_chunk_size_is_hexadecimal_digits(stage, size):
    """chunk-size = 1*HEXDIG, with no sign, prefix or white space."""
    stage.refuses(chunked(size + b"\r\nhello\r\n0\r\n\r\n" + SMUGGLED), 400)


@cases("size", b"10000000000000005", b"ffffffffffffffff", b"fffffffffffffffff", b"8000000000000000", b"f" * 200, b"0" * 16 + b"5",
       b"100000000000000000000000000000005", b"FFFFFFFFFFFFFFFFB")
def test_rfc9112_7_1_a_chunk_size_that_overflows_is_refused(stage, size):
    """A recipient MUST anticipate large numbers and prevent parsing errors due to overflow."""
    stage.refuses(chunked(size + b"\r\nhello\r\n0\r\n\r\n" + SMUGGLED), 400)


@cases("body", b"5\nhello\r\n0\r\n\r\n", b"5\r\nhello\n0\r\n\r\n", b"5\r\nhello\r\n0\n\r\n", b"5\r\nhello\r\n0\r\n\n", b"5\rhello\r\n0\r\n\r\n",
       b"5\r\nhello\r0\r\n\r\n", b"5\r\nhello0\r\n\r\n", b"5\r\nhello!\r\n0\r\n\r\n", b"5\r\nhello!!\r\n0\r\n\r\n", b"5\r\nhell\r\n0\r\n\r\n",
       b"5\r\nhello\r\n\r\n0\r\n\r\n", b"5\r\nhello\n\r0\r\n\r\n", b"\r\n5\r\nhello\r\n0\r\n\r\n", b"5\r\r\nhello\r\n0\r\n\r\n", b"5\n\nhello\r\n0\r\n\r\n",
       b"0\n\n", b"0\r\r", b"0\r\n\rX", b"5\r\nhello\r\n\r\n", b"5\r\nhelloXX0\r\n\r\n", b"5;a\nhello\r\n0\r\n\r\n", b"5;\nhello\r\n0\r\n\r\n",
       b"hello", b"Z\r\nZZ\r\nZZZ\r\n\r\n", b"3\r\nabc\r\n 0\r\n\r\n", b"2\r\nXX\n\n5\r\nhello\r\n0\r\n\r\n")
def test_rfc9112_7_1_chunks_end_in_crlf(stage, body):
    """Each line of the framing and each chunk ends in CRLF, and where its size says."""
    stage.refuses(chunked(body + SMUGGLED), 400)


@cases("body", (b"0\r\n\r\n", b""), (b"5\r\nhello\r\n0\r\n\r\n", b"hello"), (b"1\r\na\r\n1\r\nb\r\n0\r\n\r\n", b"ab"), (b"A\r\nhelloworld\r\n0\r\n\r\n", b"helloworld"),
       (b"a\r\nhelloworld\r\n0\r\n\r\n", b"helloworld"), (b"005\r\nhello\r\n0\r\n\r\n", b"hello"), (b"000000000000005\r\nhello\r\n000\r\n\r\n", b"hello"),
       (b"2\r\n\r\n\r\n0\r\n\r\n", b"\r\n"), (b"5\r\n0\r\n\r\n\r\n0\r\n\r\n", b"0\r\n\r\n"), (b"1000\r\n" + b"x" * 4096 + b"\r\n0\r\n\r\n", b"x" * 4096),
       (b"1\r\nx\r\n" * 5000 + b"0\r\n\r\n", b"x" * 5000), (b"%x\r\n" % len(SMUGGLED) + SMUGGLED + b"\r\n0\r\n\r\n", SMUGGLED))
def test_rfc9112_7_1_chunked_content_is_forwarded(stage, body):
    """The content is what the chunks hold, and none of their framing."""
    record, _ = stage.forwards(chunked(body[0]))
    assert record.content == body[1]


@cases("extension", b";", b";;", b"; ", b" ", b"\t", b";a ", b";a=b ", b";a=\"b\" ", b";a =", b" ;", b" ;a ;", b";a b", b";a =b c", b"\r ;a", b" \r;a", b";a=", b";=b", b";a==b", b";a=b;", b";a[=x", b";a=\"b", b";a=b\"",
       b";a=\"b\"c", b";a\x00", b";\x00a", b";a\rb", b";a=\"\x00\"", b";a=\"b\x7f\"", b";\xff", b";a\tb", b";a,b", b";a=(b)", b";a:b", b"\r;a", b"\x0b;a",
       b";a=\"\\", b";a/b", b";a=\x01", b"\t;", b";a=b c", b";" + b"a" * 300)
def test_rfc9112_7_1_1_a_chunk_extension_that_is_none_is_refused(stage, extension):
    """chunk-ext holds tokens and quoted strings, and white space at its separators alone; what is too long is refused too."""
    stage.refuses(chunked(b"5" + extension + b"\r\nhello\r\n0\r\n\r\n" + SMUGGLED), 400)


@cases("extension", b";a", b";a=b", b";a=\"b\"", b";a;b;c", b";a=b;c=\"d\"", b";a=\"b;c\"", b";a=\"\\\"\"", b";a=\"\"", b";a=\"b c\t\x80\"", b";!#$%&'*+-.^_`|~=1",
       b" ;a", b"; a", b";a =b", b";a= b", b" \t;\ta\t=\t\"b\" ; c  =d\t;e")
def test_rfc9112_7_1_1_chunk_extensions_are_dropped(stage, extension):
    """A recipient MUST ignore extensions that it does not know, and they concern one connection alone."""
    record, _ = stage.forwards(chunked(b"5" + extension + b"\r\nhello\r\n0" + extension + b"\r\n\r\n"))
    assert record.content == b"hello"


def test_rfc9112_7_1_1_extensions_without_end_are_refused(stage):
    """A recipient ought to limit the total length of chunk extensions."""
    stage.refuses(chunked((b"1;" + b"a" * 200 + b"\r\nx\r\n") * 100 + b"0\r\n\r\n"), 400)


@cases("trailer", b"X : 1", b": 1", b"X", b" X: 1", b"X: 1\r\n 2", b"X: \x00", b"X: 1\n", b"X: a\rb", b"X\x00: 1", b"X Y: 1", b"X: \x7f", b"X\xff: 1")
def test_rfc9112_7_1_2_a_trailer_field_has_the_form_of_a_field(stage, trailer):
    """trailer-section = *( field-line CRLF )."""
    stage.refuses(chunked(b"5\r\nhello\r\n0\r\n" + trailer + b"\r\n\r\n" + SMUGGLED), 400)


@cases("octets", b"X: " + b"a" * 70_000 + b"\r\n", b"X: 1\r\n" * 101)
def test_rfc9112_7_1_2_trailers_are_bounded(stage, octets):
    """A trailer section is as large as a field section may be, and no larger."""
    stage.refuses(chunked(b"5\r\nhello\r\n0\r\n" + octets + b"\r\n"), 431)


def test_rfc9110_6_5_trailer_fields_are_forwarded(stage):
    """Trailer fields go on with the message, as a trailer section."""
    record, _ = stage.forwards(chunked(b"5\r\nhello\r\n0\r\nX-Sum: 1\r\nX-Sum: 2\r\n\r\n"))
    assert record.trailers == [(b"x-sum", b"1"), (b"x-sum", b"2")] and record.get(b"x-sum") is None


@cases("name", b"Content-Length", b"Transfer-Encoding", b"Host", b"Connection", b"Trailer", b"TE", b"Upgrade", b"Expect", b"Authorization",
       b"Cookie", b"Content-Type", b"Content-Encoding", b"Content-Range", b"Cache-Control", b"Max-Forwards", b"Range", b"If-Match", b"Via",
       b"X-Forwarded-For", b"X-Forwarded-Host", b"X-Forwarded-Proto", b"Forwarded", b"X-Request-ID", b"Proxy-Authorization", b"Keep-Alive",
       b"Content_Length", b"X_Forwarded_For", b"transfer_encoding", b"Content.Length", b"X.Forwarded.For", b"x~real~ip")
def test_rfc9110_6_5_1_fields_that_may_not_be_trailers_are_dropped(stage, name):
    """Fields of framing, routing, authentication and content MUST NOT be taken from a trailer section."""
    record, _ = stage.forwards(chunked(b"5\r\nhello\r\n0\r\n" + name + b": 1\r\nX-Kept: 1\r\n\r\n"))
    assert record.trailers == [(b"x-kept", b"1")]


# RFC 9110 §7.6, §10.1: fields of the connection and of control


@cases("lines", (b"Connection: X-Hop", b"X-Hop: 1"), (b"Connection: close, x-hop", b"X-HOP: 1"), (b"Connection: a", b"Connection: X-Hop", b"X-Hop: 1"),
       (b"Connection: , ,X-Hop,", b"X-Hop: 1"), (b"X-Hop: 1", b"Connection:\tX-Hop\t"))
def test_rfc9110_7_6_1_nominated_fields_are_not_forwarded(stage, lines):
    """An intermediary MUST remove Connection and every field that it names."""
    record, _ = stage.forwards(get(*lines))
    assert record.get(b"x-hop") is None and record.get(b"connection") is None


@cases("line", b"Keep-Alive: 5", b"Proxy-Connection: keep-alive", b"TE: gzip", b"Upgrade: x", b"Connection: close", b"Connection: keep-alive")
def test_rfc9110_7_6_1_fields_of_the_connection_are_not_forwarded(stage, line):
    """Fields that concern one connection end there, whether Connection names them or not."""
    record, _ = stage.forwards(get(line))
    assert record.get(line.partition(b":")[0].lower()) is None


@cases("line", b"Connection: Host", b"Connection: Content-Length", b"Connection: host, content-length, close")
def test_rfc9110_7_6_1_framing_is_not_nominated_away(stage, line):
    """A sender MUST NOT nominate a field that is meant for every recipient: it stays."""
    record, _ = stage.forwards(post(line, b"Content-Length: 5", content=b"hello"))
    assert (record.content, record.all(b"host"), record.all(b"content-length")) == (b"hello", [b"a.test"], [b"5"])


@cases("value", b"a b", b"close x", b"\"close\"", b"close;", b"@", b"close, x=y", b"a/b", b"(close)", b"\x80",
       b", ".join(b"x%d" % number for number in range(40)))
def test_rfc9110_7_6_1_connection_is_a_list_of_tokens(stage, value):
    """Connection = #connection-option: what is no option may hide one."""
    stage.refuses(get(b"Connection: " + value), 400)


@cases("value", b"100-continue, x", b"200-ok", b"x", b"", b"100-continued", b"100-continue;q=1", b"100", b"y 100-continue", b"100-continue 1",
       b"100-continue=1", b"\"100-continue\"", b"x, 100-continue")
def test_rfc9110_10_1_1_an_unknown_expectation_is_417(stage, value):
    """An expectation other than 100-continue MAY be answered with 417: others would read it differently."""
    stage.refuses(post(b"Expect: " + value, b"Content-Length: 5", content=b"hello"), 417)


@cases("names", (b"X-Forwarded-For", b"1.2.3.4"), (b"X-Forwarded-Host", b"evil.test"), (b"X-Forwarded-Proto", b"gopher"), (b"X-Forwarded-Port", b"1"),
       (b"X-Forwarded-Prefix", b"/evil"), (b"X-Real-IP", b"1.2.3.4"), (b"Forwarded", b"for=1.2.3.4"), (b"X-Request-ID", b"chosen"))
def test_rfc7239_8_1_what_a_client_says_of_itself_is_not_believed(stage, names):
    """Forwarding fields of a peer that is not trusted do not reach the origin."""
    record, _ = stage.forwards(get(names[0] + b": " + names[1]))
    assert all(names[1] not in value for value in record.all(names[0].lower()))


@cases("line", b"X_Forwarded_For: 1.2.3.4", b"X_Forwarded-For: 1.2.3.4", b"x_real_ip: 1.2.3.4", b"X_FORWARDED_PROTO: 1.2.3.4",
       *[b"X" + sign + b"Forwarded-For: 1.2.3.4" for sign in (b"!", b"#", b"$", b"%", b"&", b"'", b"*", b"+", b".", b"^", b"`", b"|", b"~")],
       b"x.real.ip: 1.2.3.4", b"X.Forwarded_Host: 1.2.3.4")
def test_rfc7239_8_1_nor_when_it_is_spelt_with_other_signs(stage, line):
    """Gateways to CGI and its like make `-`, `_` and all other signs one."""
    record, _ = stage.forwards(get(line, b"X_Other_Name: 1"))
    assert b"1.2.3.4" not in [value for _, value in record.fields] and record.get(b"x_other_name") == b"1"


@cases("name", b"Proxy", b"proxy", b"PROXY")
def test_rfc3875_4_1_18_no_client_names_a_proxy_to_a_cgi_program(stage, name):
    """Proxy would be HTTP_PROXY, which programs take for the way that their own requests go (CVE-2016-5385)."""
    record, _ = stage.forwards(get(name + b": http://evil.test:1/", b"Proxies: 1", b"X-Proxy: 2"))
    assert record.all(b"proxy") == [] and (record.get(b"proxies"), record.get(b"x-proxy")) == (b"1", b"2")


def test_rfc9110_10_1_1_an_expectation_of_http_1_0_is_ignored(stage):
    """A server MUST ignore 100-continue in a request of HTTP/1.0."""
    record, _ = stage.forwards(get(b"Expect: 100-continue", b"Content-Length: 5", start=b"POST / HTTP/1.0") + b"hello")
    assert record.content == b"hello" and record.get(b"expect") is None


def test_rfc9110_7_6_3_via_is_appended(stage):
    """A gateway MUST send Via in each request, behind those before it, with the version that it received."""
    record, _ = stage.forwards(get(b"Via: 1.0 fred"))
    assert record.all(b"via") == [b"1.0 fred", b"1.1 weir"]
    record, _ = stage.forwards(get(start=b"GET / HTTP/1.0"))
    assert record.all(b"via") == [b"1.0 weir"]


def test_rfc9112_2_3_the_origin_gets_http_1_1(stage):
    """An intermediary MUST send its own version."""
    record, _ = stage.forwards(get(start=b"GET / HTTP/1.0"))
    assert record.version == b"1.1"
