#!/usr/bin/env python3
"""A second implementation of CONTRACT.md, and the maker of the test vectors beside it.

Example: pip install xxhash && python3 generate.py        writes the files beside it
         python3 generate.py --check                      only compares them with what would be written

The vectors are frozen: a change of theirs is a change of the contract.
"""

import base64
import hashlib
import ipaddress
import json
import pathlib
import random
import re
import sys
import urllib.parse

import xxhash

HERE = pathlib.Path(__file__).parent


class Refused(Exception):
    """A rule that is not understood."""


class Number(str):
    """A number's literal."""


# --- values -----------------------------------------------------------------------------------------------


def number(literal):
    """The exact value in plain decimal notation, or None."""
    if len(literal) > 64:
        return None
    sign, mantissa, exponent = re.fullmatch(r"(-?)([0-9.]+)(?:[eE]([+-]?\d+))?", literal).groups()
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    if not digits:
        return "0"
    point = len(digits) - len(fraction) + int(exponent or 0)
    digits = digits.rstrip("0")
    if abs(point) > 64:
        return None
    if point <= 0:
        text = "0." + "0" * -point + digits
    elif point >= len(digits):
        text = digits + "0" * (point - len(digits))
    else:
        text = digits[:point] + "." + digits[point:]
    return sign + text if len(sign + text) <= 64 else None


def quoted(text):
    short = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
    return '"' + "".join(short.get(c) or (f"\\u{ord(c):04x}" if c < " " else c) for c in text) + '"'


def compact(value, depth=0):
    if depth > 64:
        return None
    if isinstance(value, Number):
        return number(value)
    if isinstance(value, str):
        return quoted(value)
    if value is None or value is True or value is False:
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, list):
        parts = [compact(item, depth + 1) for item in value]
        return None if None in parts else "[" + ",".join(parts) + "]"
    parts = [(quoted(name), compact(item, depth + 1)) for name, item in sorted(value.items())]
    return None if any(item is None for _, item in parts) else "{" + ",".join(f"{n}:{i}" for n, i in parts) + "}"


def no_constant(name):
    raise ValueError(name)


def parsed(body):
    """A body as JSON, or None."""
    try:
        text = body.decode()
        value = json.loads(text, parse_int=Number, parse_float=Number, parse_constant=no_constant)
        json.dumps(value, ensure_ascii=False).encode()
        return (value,)
    except (ValueError, RecursionError):
        return None


def json_path(field):
    if not field.startswith("/"):
        steps = field.split(".")
        if "" in steps:
            raise Refused(field)
        return [(step, False) for step in steps]
    steps = field[1:].split("/")
    for step in steps:
        if re.search(r"~(?![01])", step):
            raise Refused(field)
    return [(step.replace("~1", "/").replace("~0", "~"), True) for step in steps]


def json_field(body, path):
    document = parsed(body) if body is not None else None
    if document is None:
        return None
    (value,) = document
    for step, is_pointer in path:
        if isinstance(value, dict) and step in value:
            value = value[step]
        elif isinstance(value, list) and is_pointer and re.fullmatch(r"0|[1-9][0-9]*", step) and int(step) < len(value):
            value = value[int(step)]
        else:
            return None
    if value is None:
        return None
    return value if isinstance(value, str) and not isinstance(value, Number) else compact(value)


def unpercent(text):
    return text_of(urllib.parse.unquote_to_bytes(bytes_of(text)))


def bytes_of(text):
    """The bytes of a target or a part of one. What is not UTF-8 in them is a lone surrogate in the text."""
    return text.encode(errors="surrogateescape")


def text_of(raw):
    """Bytes as text, or None where they are not UTF-8."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return None


def parameter(text, name):
    for pair in filter(None, text.split("&")):
        key, _, value = pair.partition("=")
        if unpercent(key.replace("+", " ")) == name:
            return unpercent(value.replace("+", " "))
    return None


def header_text(value):
    return value.strip(" \t") if all(c == "\t" or " " <= c <= "~" for c in value) else None


class Target:
    """A request target, split. All its parts are text in the sense of `bytes_of`."""

    def __init__(self, method, raw):
        scheme = re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", raw)
        self.authority, local = None, raw
        if method == "CONNECT":
            self.form, self.authority, local = "authority", raw, ""
        elif raw.startswith("/"):
            self.form = "origin"
        elif raw == "*":
            self.form = "asterisk"
        elif scheme:
            self.form = "absolute"
            self.authority, local = re.fullmatch(r"([^/?#]*)(.*)", raw[scheme.end() :], re.S).groups()
        else:
            self.form = "other"
        before, question, after = local.split("#")[0].partition("?")
        self.path = before or "/"
        self.query = after if question else None

    def local(self):
        return self.path if self.query is None else f"{self.path}?{self.query}"


class Request:
    def __init__(self, given):
        self.given = given
        self.method = given["method"]
        raw = base64.b64decode(given["targetBase64"]) if "targetBase64" in given else given["target"].encode()
        self.target = Target(self.method, raw.decode(errors="surrogateescape"))
        self.body = message_body(given)

    def header(self, name):
        lines = headers(self.given, name)
        return header_text(lines[0]) if lines else None

    def path(self):
        return self.target.path

    def query(self):
        return self.target.query

    def host(self):
        authority = self.header("host") if self.target.authority is None else self.target.authority
        if authority is None or text_of(bytes_of(authority)) is None:
            return None
        authority = authority.rsplit("@", 1)[-1]
        bracket = re.match(r"\[[^\]]*\]", authority)
        return (bracket.group() if bracket else authority.split(":")[0]).translate(LOWER) or None


LOWER = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz")


def headers(given, name):
    return [value for key, value in given.get("headers", []) if key.lower() == name]


def message_body(given):
    if "bodyBase64" in given:
        return base64.b64decode(given["bodyBase64"])
    return given["body"].encode() if "body" in given else None


# --- rules ------------------------------------------------------------------------------------------------


def route_pattern(text):
    match = re.fullmatch(r"(\*|[A-Z-]+)\s+(/\S*)", text.strip())
    if not match:
        raise Refused(text)
    segments = match[2].split("/")[1:]
    for at, segment in enumerate(segments):
        is_star = segment == "*" or (segment == "**" and at == len(segments) - 1)
        if not is_star and not re.fullmatch(r"\{[^{}*]+\}|[^{}*]*", segment):
            raise Refused(text)
    return match[1], segments


def on_route(route, request):
    method, segments = route
    path = request.path()
    if method not in ("*", request.method) or not path.startswith("/"):
        return False
    theirs = path[1:].split("/")
    for at, segment in enumerate(segments):
        if at >= len(theirs):
            return False
        if segment == "**":
            return True
        if segment == "*":
            continue
        if segment.startswith("{"):
            if theirs[at] == "":
                return False
        elif segment != theirs[at]:
            return False
    return len(theirs) == len(segments)


def field_reader(field, route):
    """A function of request and seconds, and the length of its time bucket."""
    kind, colon, name = field.partition(":")
    if not colon:
        plain = {
            "method": lambda r, t: r.method,
            "path": lambda r, t: text_of(bytes_of(r.path())),
            "host": lambda r, t: r.host(),
            "client": lambda r, t: client(r.given.get("client")),
        }
        if kind not in plain:
            raise Refused(field)
        return plain[kind], 0
    if not name:
        raise Refused(field)
    if kind == "json":
        path = json_path(name)
        return (lambda r, t: json_field(r.body, path)), 0
    if kind == "query":
        return (lambda r, t: None if r.query() is None else parameter(r.query(), name)), 0
    if kind == "form":
        return (lambda r, t: form(r, name)), 0
    if kind == "header":
        return (lambda r, t: r.header(name.lower())), 0
    if kind == "cookie":
        return (lambda r, t: cookie(r, name)), 0
    if kind == "path" and re.fullmatch(r"[0-9]+", name):
        if int(name) == 0:
            raise Refused(field)
        return (lambda r, t: numbered(r, int(name))), 0
    if kind == "path":
        if route is None or "{" + name + "}" not in route[1]:
            raise Refused(field)
        at = route[1].index("{" + name + "}")
        return (lambda r, t: unpercent(r.path()[1:].split("/")[at])), 0
    if kind == "time":
        match = re.fullmatch(r"([0-9]*)([smh])", name)
        length = int(match[1] or 1) * {"s": 1, "m": 60, "h": 3600}[match[2]] if match else 0
        if not 1 <= length <= 86400:
            raise Refused(field)
        return (lambda r, t: str(t // length)), length
    raise Refused(field)


def client(address):
    if address is None:
        return None
    ip = ipaddress.ip_address(address)
    return str(getattr(ip, "ipv4_mapped", None) or ip)


def form(request, name):
    kind = request.header("content-type")
    if kind is None or kind.split(";")[0].strip(" \t").lower() != "application/x-www-form-urlencoded":
        return None
    try:
        return parameter(request.body.decode(), name) if request.body is not None else None
    except UnicodeDecodeError:
        return None


def cookie(request, name):
    for line in headers(request.given, "cookie"):
        for pair in (header_text(line) or "").split(";"):
            key, equals, value = pair.partition("=")
            if equals and key.strip(" \t") == name:
                return value.strip(" \t")
    return None


def numbered(request, n):
    segments = [s for s in request.path().split("/") if s]
    return unpercent(segments[n - 1]) if n <= len(segments) else None


def template_parts(template, route):
    parts, text, at = [], "", 0
    while at < len(template):
        c = template[at]
        if c in "{}" and template[at : at + 2] == c * 2:
            text, at = text + c, at + 2
        elif c == "}":
            raise Refused(template)
        elif c == "{":
            end = template.find("}", at)
            if end < 0:
                raise Refused(template)
            field = template[at + 1 : end]
            optional = field.startswith("?")
            parts += [text, (*field_reader(field[optional:], route), optional)]
            text, at = "", end + 1
        else:
            text, at = text + c, at + 1
    if not parts:
        raise Refused(template)
    return [*parts, text]


DIGESTS = {
    "md5": lambda t: hashlib.md5(t.encode()).hexdigest(),
    "sha256": lambda t: hashlib.sha256(t.encode()).hexdigest(),
    "xxh3": lambda t: xxhash.xxh3_64_hexdigest(t.encode()),
    "none": lambda t: t,
}


class Rule:
    def __init__(self, text):
        text = text.strip()
        self.route, self.bucket = None, 0
        if " => " in text and '"' not in text.split(" => ")[0]:
            route, text = text.split(" => ", 1)
            self.route, text = route_pattern(route), text.strip()
        self.counted = text.endswith(" #n")
        text = text.removesuffix("#n").rstrip() if self.counted else text
        digest, paren, inside = text.partition("(")
        kind, colon, name = text.partition(":")
        if text == "traceparent":
            self.read = lambda request, response, t: traceparent(request.header("traceparent"))
        elif paren and ":" not in digest:
            match = re.fullmatch(r'\s*"(.*)"\s*\)', inside, re.S)
            if digest not in DIGESTS or not match:
                raise Refused(text)
            parts = template_parts(match[1], self.route)
            self.bucket = max(p[1] for p in parts if not isinstance(p, str))
            self.read = lambda request, response, t: self.fill(DIGESTS[digest], parts, request, t)
        elif not colon or not name:
            raise Refused(text)
        elif kind == "header":
            self.read = lambda request, response, t: request.header(name.lower())
        elif kind == "response-header":
            self.read = lambda request, response, t: response and response.header(name.lower())
        elif kind == "response-json":
            path = json_path(name)
            self.read = lambda request, response, t: response and json_field(response.body, path)
        else:
            raise Refused(text)

    @staticmethod
    def fill(digest, parts, request, seconds):
        text = ""
        for part in parts:
            if isinstance(part, str):
                text += part
                continue
            value = part[0](request, seconds)
            if value is None and not part[2]:
                return None
            text += value or ""
        return digest(text)

    def id(self, request, response, seconds):
        if self.route and not on_route(self.route, request):
            return None
        text = self.read(request, response, seconds)
        return text if text and len(text) <= 256 and all("!" <= c <= "~" for c in text) else None


def traceparent(value):
    match = re.fullmatch(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", value or "")
    if not match or match[1] == "ff" or (match[1] == "00" and match[5]):
        return None
    return f"{match[2]}-{match[3]}" if match[2].strip("0") and match[3].strip("0") else None


def candidates(rules, request, response, seconds, skew):
    for rule in rules:
        first = rule.id(request, response, seconds)
        if first is None:
            continue
        ids = [first]
        if rule.bucket:
            for away in range(1, skew + 1):
                for second in (seconds + away, max(0, seconds - away)):
                    other = rule.id(request, response, second)
                    if other and other not in ids:
                        ids.append(other)
        return ids, rule.counted
    return [], False


# --- vectors ----------------------------------------------------------------------------------------------

AT = 1_700_000_000
VECTORS = []


def add(name, rules, method="GET", target="/", seconds=AT, skew=1, response=None, **message):
    rules = [rules] if isinstance(rules, str) else rules
    sent = {"target": target} if isinstance(target, str) else {"targetBase64": base64.b64encode(target).decode()}
    request = {"method": method, **sent, **message}
    answered = response and Request({"method": "", "target": "", **response})
    ids, counted = candidates([Rule(r) for r in rules], Request(request), answered, seconds, skew)
    vector = {"name": name, "rules": rules, "request": request}
    if response:
        vector["response"] = response
    vector |= {"seconds": seconds, "skew": skew, "ids": ids, "counted": counted}
    VECTORS.append(vector)


def field(name, text, **message):
    add(name, f'sha256("{text}")', **message)


def by_hand():
    in_the_wild = 'md5("{json:userId}:{json:productId}:{time:s}")'
    add("as in the wild", in_the_wild, "POST", "/orders", body='{"userId":42,"productId":"p1"}')
    add("none shows the text", 'none("{method}:{path}:{time:s}")', "PUT", "/a/b?c=d")
    for digest in DIGESTS:
        add(f"digest {digest}", f'{digest}("{{query:id}}")', target="/?id=7")
    add("order of rules", ["header:x-none", 'md5("{json:none}")', "header:X-Request-ID"], headers=[["x-request-id", "abc"]])
    for value in ["", " a ", "\ta", "a b", "x" * 256, "x" * 257, "ä", "a\x7fb", "a-1_~!"]:
        add(f"header rule {value[:9]!r}", "header:x-id", headers=[["X-Id", value], ["x-id", "second"]])
        field(f"header field {value[:9]!r}", "<{header:X-ID}>", headers=[["X-Id", value], ["x-id", "second"]])
    trace, parent = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
    for value in [
        f"00-{trace}-{parent}-01", f" 00-{trace}-{parent}-00 ", f"00-{trace.upper()}-{parent}-01", f"ff-{trace}-{parent}-01",
        f"00-{'0' * 32}-{parent}-01", f"00-{trace}-{'0' * 16}-01", f"00-{trace}-{parent}-01-x", f"01-{trace}-{parent}-01-x",
        f"01-{trace}-{parent}-01x", f"00-{trace}-{parent}", f"00-{trace[1:]}-{parent}-01", "",
    ]:
        add(f"traceparent {value}", "traceparent", headers=[["traceparent", value]])
    add("response header", "response-header:x-id", response={"headers": [["X-Id", "r1"]]})
    add("response header without a response", "response-header:x-id")
    for fieldname in ["order.id", "/order/id", "/order/none", "/lines/0", "/lines/1/id"]:
        body = '{"order":{"id":9},"lines":[{"id":"a"},{"id":"b c"}]}'
        add(f"response json {fieldname}", f"response-json:{fieldname}", response={"body": body})
    add("response json, another order", 'response-json:/lines', response={"body": '{"lines":["a",1.0]}'})
    numbers = [
        "0", "-0", "0.0", "-0.0e9", "1", "-1", "1.0", "1.50", "100", "1e3", "1E3", "1e+3", "1e-3", "1.5e-3", "12.34e1", "12.34e2", "12.34e3", "0.1e1",
        "0.001", "9007199254740993", "12345678901234567890", "123456789012345678901234567890.5", "1e63", "1e64", "1e-62", "1e-63", "1e-64", "-1e62", "-1e63",
        "1e400", "1e-400", "1e999999999999", "0e999999999999", "1" * 64, "1" * 65, "1." + "0" * 62, "1." + "0" * 63, "3.141592653589793",
    ]
    for literal in numbers:
        field(f"number {literal[:20]}", "{json:n}", body=f'{{"n":{literal}}}')
    for literal in ["01", "1.", ".5", "+1", "NaN", "Infinity", "0x1", "1e", "--1", "1 2"]:
        field(f"no number {literal}", "{json:n}", body=f'{{"n":{literal}}}')
    texts = ["", "a", "Ä", "e\u0301", "é", "日本語", "😀", "a\"b\\c/d", "\u0000", "\u007f", "\u2028", "tab\tnew\nline", "\ufeff", " "]
    for text in texts:
        field(f"string {text!r}", "<{json:s}>", body=json.dumps({"s": text}))
        field(f"string as sent {text!r}", "<{json:s}>", body=json.dumps({"s": text}, ensure_ascii=False))
        field(f"string in an array {text!r}", "<{json:s}>", body=json.dumps({"s": [text, {text: text}]}))
    documents = [
        "{}", "null", "7", '"s"', "[]", "", " ", "{", '{"a":1}x', '{"a":1} \n', '\ufeff{"a":1}', "{'a':1}", '{"a":1,}', '{"a":1/**/}', '{"a":"\\ud800"}',
        '{"a":"\\udc00\\ud800"}', '{"a":"\\ud83d\\ude00"}', '{"b":"\\ud800","a":1}', '{"\\ud800":2,"a":1}', '{"a":"\\x"}', '{"a":"\t"}', '{"a":null}', '{"a":true}', '{"a":false}',
        '{"a":1,"a":2}', '{"a":{"b":1},"a":3}', '{"a":3,"a":{"b":1}}', '{"\\u0061":1}', '{"A":1}', '{"a":tru}', '{"a":[1,2,{"b":[]}]}', '{"a":{"z":1,"b":[true,null,"x"],"é":1.0,"Z":1e2,"😀":1,"\uffff":2}}',
        '{"a":{"z":1,"z":2}}', '{"a":[1e99]}', '{"a":{"b":{"c":{}}}}', '{ "a" : [ 1 , 2 ] }', '{"a":' + "[" * 64 + "]" * 64 + "}", '{"a":' + "[" * 66 + "]" * 66 + "}", '{"a":1e999,"b":2}',
        '{"a":"\\u0061","b":1e999}', '{"a":1e999,"a":{"b":1}}',
    ]
    for document in documents:
        for path in ["a", "a.b", "/a", "/a/0", "/a/b/0"]:
            field(f"document {document[:30]!r} {path}", f"<{{json:{path}}}>", body=document)
    for raw in [b'{"a":"\xff"}', b'{"a":1,"b":"\xff"}', b'{"a":"\xc3\xa4"}', '{"a":1}'.encode("utf-16")]:
        add(f"bytes {raw!r}", 'sha256("<{json:a}>")', bodyBase64=base64.b64encode(raw).decode())
    steps = '{"a/b":1,"m~n":2,"":3,"a.b":4,"a":{"b":5,"0":6},"l":[10,20,[30]],"{x":7}'
    for path in ["/a~1b", "/m~0n", "/", "a.b", "/a.b", "/a/b", "/a/0", "a.0", "/l/0", "/l/1", "/l/01", "/l/2/0", "/l/3", "/l/-", "l.0", "/l/1e0", "/l/ 1", "{x"]:
        field(f"path {path}", f"{{json:{path}}}", body=steps)
    field("no body", "{json:a}")
    field("optional", "<{?json:a}|{?query:b}|{method}>", target="/?b=")
    field("all optional and all missing", "<{?json:a}>")
    targets = [
        "/", "/a", "/a/", "//a", "/a//b", "/a%2Fb/c%20d", "/%zz/%4", "/%ff/x", "/a+b/c", "/ä", "/a;v=1/b", "/a/../b", "/.", "*", "/a?x", "/a#f", "/a?x#f?y", "http://Shop.Example:80/a/b?c=1",
        "http://user@h", "https://h?q=1", "/r?u=http://x/y", "h:443", "", "?a=1",
    ]
    for target in targets:
        field(f"path of {target}", "{path}", target=target)
        field(f"segments of {target}", "{?path:1}|{?path:2}|{?path:3}", target=target)
        field(f"host of {target}", "{host}", target=target, headers=[["Host", "Header.example:8080"]])
    queries = ["a=1", "a=", "a", "b=1", "a=1&a=2", "a=x+y", "a=x%20y", "a=%C3%A4", "a=ä", "a=%ff", "%61=1", "%ff=1&a=2", "a=%", "a=%4", "a=%zz", "a=1%2B1", "&&a=1", "a=b=c", "a=1;a=2", "A=1", "a=?", "a=%00", "=1&a=1", "a=%ff&a=1"]
    for query in queries:
        field(f"query {query}", "<{query:a}>", target=f"/?{query}")
        field(f"form {query}", "<{form:a}>", method="POST", headers=[["content-type", "application/x-www-form-urlencoded"]], body=query)
    field("query with a question mark", "{query:a?b}", target="/?a?b=1")
    for kind in ["Application/X-WWW-Form-URLEncoded; charset=utf-8", " application/x-www-form-urlencoded ;x", "text/plain", "application/x-www-form-urlencodedx", ""]:
        field(f"form of {kind}", "{form:a}", headers=[["Content-Type", kind]], body="a=1")
    field("form without a content-type", "{form:a}", body="a=1")
    field("form without a body", "{form:a}", headers=[["content-type", "application/x-www-form-urlencoded"]])
    add("form that is no text", 'md5("{form:a}")', headers=[["content-type", "application/x-www-form-urlencoded"]], bodyBase64="YT3/")
    for line in ["a=1", "b=2; a=1", "b=2;a=1", "a=1; a=2", ' a = "x y" ', "a", "a=", "a=b=c", "A=1", "xa=1", "a=1;", ";;a=1", "a=ä; b=1"]:
        field(f"cookie {line}", "<{cookie:a}>", headers=[["Cookie", line], ["cookie", "a=second"]])
    for host in ["Shop.Example", "shop:8080", "[::1]:80", "[::1]", "", " h ", "u@h:1", ":80", "hö"]:
        field(f"host {host}", "<{host}>", headers=[["Host", host]])
    field("no host", "{host}")
    for address in ["1.2.3.4", "::ffff:1.2.3.4", "::1", "2001:db8:0:0:1:0:0:1", "2001:DB8::A", "fe80:0:0:0:0:0:0:1"]:
        field(f"client {address}", "{client}", client=address)
    field("no client", "{client}")
    for seconds in [0, 1, 59, 60, 61, AT - 1, AT, AT + 1, 2**32]:
        for bucket in ["s", "1s", "5s", "1m", "90s", "24h"]:
            add(f"time {bucket} at {seconds}", f'none("{{time:{bucket}}}")', seconds=seconds, skew=2)
    add("two buckets", 'none("{time:s}-{time:10s}")', seconds=AT + 9, skew=1)
    add("no skew", 'none("{time:s}")', skew=0)
    add("skew without a time", 'none("{method}")', skew=5)
    routes = ["GET /a/{x}/b", "* /a/{x}/b", "POST /a/{x}/b", "GET /a/*/b", "GET /a/**", "GET /**", "GET /a/{x}", "GET /", "GET /a/{x}/", "* /{x}/{y}/{z}"]
    for route in routes:
        for target in ["/a/1/b", "/a/1/b?q", "/a//b", "/a", "/a/", "/a/1/", "/", "/a/%41/b", "/A/1/b", "*", "http://h/a/1/b"]:
            add(f"route {route} for {target}", [f'{route} => none("yes:{{path}}")', 'none("no:{path}")'], target=target)
    add("named segment", 'GET /u/{user}/o/{order} => none("{path:order}-{path:user}-{path:2}")', target="/u/7/o/b%2Dc")
    add("named segment that is no text", 'GET /u/{user} => md5("{path:user}")', target="/u/%ff")
    add("a route per rule", ["POST /orders => header:x-order", "GET /orders => header:x-list"], headers=[["x-order", "o"], ["x-list", "l"]], target="/orders")
    add("counted", 'md5("{query:a}") #n', target="/?a=1")
    add("counted header", "header:x-id #n", headers=[["x-id", "a"]])
    add("not counted by text", 'none("{method}#n")')
    add("braces", 'none("{{{method}}}")')
    add("arrow in a template", 'none("{method}=>{path}")')
    add("space around", '  md5( "{method}" )  ')
    add("a text that is no id", 'none("{query:a}")', target="/?a=x+y")
    add("a text that is too long", 'none("{query:a}")', target="/?a=" + "x" * 257)
    for method, target in TARGETS:
        shown = target if isinstance(target, str) else repr(target)
        everything = "<{?path}|{?path:1}|{?path:2}|{?query:next}|{?query:a}|{?host}>"
        field(f"target {method} {shown}", everything, method=method, target=target, headers=[["Host", "header.example"]])
        rules = ['GET /login => none("login:{method}")', 'POST /orders => none("orders:{method}")', '* /** => none("any:{method}")', 'none("none:{method}")']
        add(f"route of target {method} {shown}", rules, method=method, target=target)


# Of every form, and what could be taken for another one.
TARGETS = [
    ("GET", "/login?next=http://shop/orders/7"), ("GET", "/login?http://shop/orders/7"), ("GET", "/proxy/http://x/y"), ("GET", "/a#http://shop/b?c"), ("GET", "//shop/a"),
    ("POST", "/accounts/delete?next=http://x/orders"), ("POST", "delete?next=http://x/orders"), ("GET", "a/b?next=1"), ("GET", "?next=1"), ("GET", ""),
    ("GET", "http://shop/login?next=https://a/b"), ("GET", "HTTP://U:p@Shop.Example:80/login?next=1#f"), ("GET", "http://shop"), ("GET", "http://shop?next=1"), ("GET", "http://shop#f"), ("GET", "http:///login"), ("GET", "a+b-c.1://h/login"), ("POST", "http://x/orders"),
    ("GET", "1http://a/login"), ("GET", "+http://a/login"), ("GET", "-a://h/login"), ("GET", "ht_tp://a/login"), ("GET", "http:/a/login"), ("GET", "http//a://b/login"), ("GET", "://a/login"), ("GET", "h%74tp://a/login"), ("GET", "äb://h/login"),
    ("GET", "x://[::1]:80/login"), ("OPTIONS", "*"), ("GET", "*"), ("GET", "**"), ("CONNECT", "shop:443"), ("CONNECT", "http://shop/login?next=1"), ("CONNECT", "/login?next=1"), ("GET", "shop:443"),
    ("GET", "/search?next=中文"), ("GET", "/中文/é?a=ü"), ("GET", '/a"<>|{}\\^`?next="<>|{}'), ("GET", b"/a\xff/b?next=1"), ("GET", b"/\xe4\xb8/b?a=\xff&next=2"), ("GET", b"/a?next=\xc3\xa4&a=%c3%a4"), ("GET", b"http://h\xff/login"), ("GET", b"\xff://h/login"), ("GET", b"/a?\xff=1&next=3"),
]


def at_random():
    rng = random.Random(20261124)
    pick = lambda: rng.choice(["", "a", "ä", "日", "😀", "%", "+", " ", "&", "=", "/", "\\", '"', "0", "-1", "null"])
    for n in range(150):
        word = lambda most=6: "".join(pick() for _ in range(rng.randint(0, most)))
        number_text = rng.choice(["", "-"]) + str(rng.randint(0, 10 ** rng.randint(1, 20))) + rng.choice(["", ".0", ".50", "e2", "E-3", ".25e1"])
        values = f'{{"user":{number_text},"name":{json.dumps(word(), ensure_ascii=rng.random() < 0.5)},"list":[{number_text},{json.dumps(word())},null]}}'
        query = urllib.parse.urlencode([("q", word()), (word(), word()), ("q", word())], quote_via=rng.choice([urllib.parse.quote, urllib.parse.quote_plus]))
        template = "|".join(rng.sample(["{json:user}", "{json:name}", "{json:list}", "{json:/list/1}", "{query:q}", "{?header:x-a}", "{path:2}", "{path}", "{method}", "{time:s}", "{time:7s}", "{?cookie:c}"], rng.randint(1, 6)))
        add(
            f"random {n}",
            f'{rng.choice(["md5", "sha256", "xxh3"])}("{template}")',
            rng.choice(["GET", "POST", "M-SEARCH"]),
            f"/{urllib.parse.quote(word())}/{urllib.parse.quote(word(), safe='')}?{query}",
            seconds=rng.randint(0, 2**33),
            skew=rng.randint(0, 3),
            headers=[["X-A", word(3)], ["Cookie", f"c={rng.randint(0, 9)}; d=1"]],
            body=values,
        )


REFUSED = [
    "", "x-request-id", "headers:a", "header:", "response-header:", "response-json:", "response-json:a..b", "response-json:/a~2", "trace", "traceparent:x", "md5({time:s})", 'md5("{tim}")', 'md5("a")', 'md5("")',
    'md5("{path:0}")', 'md5("{json:a")', 'md5("{json:}")', 'md5("{json}")', 'md5("a}")', 'md5("{method}}")', 'md5("{time:0s}")', 'md5("{time:ms}")', 'md5("{time:25h}")', 'md5("{time:-1s}")', 'md5("{time:1.5s}")', 'md5("{path:user}")', 'GET /a => md5("{path:user}")',
    'sha1("{method}")', 'MD5("{method}")', 'md5("{method}"', 'md5("{method}") #m', 'get /a => md5("{method}")', 'GET a => md5("{method}")', 'GET /a** => md5("{method}")', 'GET /**/a => md5("{method}")', 'GET /{} => md5("{method}")', 'GET /{a{b} => md5("{method}")', "GET /a => ", 'md5("{?}")', 'md5("{??method}")', 'md5("{json:/a~}")',
]


def rules():
    for text in REFUSED:
        try:
            Rule(text)
        except Refused:
            continue
        raise SystemExit(f"not refused: {text}")
    return REFUSED


def targets():
    """Parts of a target as base64, since they need not be text."""
    coded = lambda text: None if text is None else base64.b64encode(bytes_of(text)).decode()
    made = []
    for method, given in TARGETS:
        raw = given if isinstance(given, bytes) else given.encode()
        target = Target(method, raw.decode(errors="surrogateescape"))
        request = xxhash.xxh3_64_hexdigest(bytes_of(f"{method} {target.local()}"))
        parts = {"form": target.form, "path": coded(target.path), "query": coded(target.query), "authority": coded(target.authority)}
        made.append({"shown": raw.decode(errors="replace"), "method": method, "target": base64.b64encode(raw).decode(), **parts, "request": request})
    return made


def listed(prefix, derived, n, stamp):
    """Where a numbered document stands, and how it is listed."""
    request_id = f"{derived}.{n}"
    if len(request_id) > 256:
        return {"id": None, "key": None, "list": None, "entry": None}
    key = f"{prefix}snapshot:{derived}"
    entry = {"n": n, **{name: stamp[name] for name in ("at", "us", "request", "body", "peer") if name in stamp}}
    return {"id": request_id, "key": f"{prefix}snapshot:{request_id}", "list": f"{key} {stamp['at'] // 60000}", "entry": entry}


def numbers():
    bare = {"mirror": 1, "at": 1700000000123, "request": xxhash.xxh3_64_hexdigest(b"GET /a?b=1")}
    full = {**bare, "us": 7, "body": xxhash.xxh3_64_hexdigest(b"{}"), "peer": "[::1]:5", "position": "16/B374D848"}
    made = []
    for prefix, derived, n, stamp in [
        ("", "8f14e45fceea167a5a36dedd4bea2543", "0123456789abcdef", bare),
        ("shop:", "8f14e45fceea167a5a36dedd4bea2543", "ffffffffffffffff", full),
        ("{slot}", "a.b", "0000000000000000", {**full, "at": 1699999999999}),
        ("", "a", "0000000000000001", {**bare, "at": 0}),
        ("", "a", "0000000000000001", {**bare, "at": 59999, "us": 999}),
        ("", "a", "0000000000000001", {**bare, "at": 60000, "us": 0}),
        ("", "x" * 239, "0123456789abcdef", bare),
        ("", "x" * 240, "0123456789abcdef", bare),
    ]:
        made.append({"prefix": prefix, "derived": derived, "n": n, "document": {**stamp, "reads": []}, **listed(prefix, derived, n, stamp)})
    return made


def fit(first, last, stamp, low, high, is_learnt):
    """What the times say: a document "does not fit" a request, "fits" it, or is "proven" to be its own."""
    unit = 1_000 if "us" in stamp else 1_000_000
    at = stamp["at"] * 1_000_000 + stamp.get("us", 0) * 1_000
    earliest, latest = at - last, at + unit - first
    if latest < low or earliest > high:
        return "does not fit"
    quarter = (high - low) // 4 if is_learnt else 0
    inside = earliest + unit <= low + quarter and latest - unit >= high - quarter
    return "proven" if inside else "fits"


def proofs():
    """A request's times in nanoseconds, a stamp's `at` and `us`, and the range of offsets."""
    ms, us = 1_000_000, 1_000
    began = 1700000000 * 1000 * ms
    made = []
    one_clock, unknown = (-20 * us, 20 * us, False), (-1000 * ms, 1000 * ms, False)
    learnt, ahead = (-2 * ms, 400 * us, True), (798 * ms, 800 * ms + 400 * us, True)
    for took in [100 * us, 5 * ms, 3000 * ms]:
        for after in [-1001 * ms, -3 * ms, -500 * us, -20 * us, 0, 19 * us, 20 * us, 50 * us, 80 * us, 81 * us, 100 * us, 1 * ms, 4 * ms, 6 * ms, 800 * ms, 1500 * ms, 4100 * ms]:
            for low, high, is_learnt in [one_clock, unknown, learnt, ahead]:
                for has_us in [True, False]:
                    moment = began + after
                    stamp = {"at": moment // ms, **({"us": moment // us % 1000} if has_us else {})}
                    made.append({"first": began, "last": began + took, **stamp, "low": low, "high": high, "learnt": is_learnt, "is": fit(began, began + took, stamp, low, high, is_learnt)})
    return made


def keys():
    made = []
    for prefix in ["", "shop:", "{slot}"]:
        for namespace in [None, "run-7", "A.b_c"]:
            for request_id in ["abc", "run:7", "a/b", "x.1"]:
                middle = "" if namespace is None else f"/{namespace}"
                made.append({"prefix": prefix, "namespace": namespace, "id": request_id, "key": f"{prefix}snapshot{middle}:{request_id}"})
    for namespace in ["", "a:b", "a/b", "ä", "x" * 65]:
        made.append({"prefix": "", "namespace": namespace, "id": "a", "key": None})
    return made


def snapshots():
    """What stands under a key, and what it is: stamped, collided or bare; and whether a service can read it."""
    stamp = {"mirror": 1, "at": 1700000000123, "request": xxhash.xxh3_64_hexdigest(b"GET /a?b=1")}
    read = {"name": "stock", "key": "17", "value": {"left": 3, "price": 1.50, "at": None}}
    failed = {"name": "user", "key": "", "error": "no connection"}
    documents = [
        ({**stamp, "reads": []}, "stamped", True),
        ({**stamp, "reads": [read, read, failed], "peer": "[::1]:5", "body": xxhash.xxh3_64_hexdigest(b"{}"), "position": "16/B374D848"}, "stamped", True),
        ({**stamp, "reads": [{"name": "a", "key": "", "value": None}]}, "stamped", True),
        ({"later": [1], **stamp, "reads": [{**read, "later": 1}]}, "stamped", True),
        ({**stamp, "us": 999, "peer": "1.2.3.4:5", "reads": []}, "stamped", True),
        ({**stamp, "reads": [read, {**read, "inside": True}], "unfinished": [{"name": "stock", "key": "17", "at": 1}, {"name": "write:mail", "key": ""}], "dropped": 2}, "stamped", True),
        ({"mirror": 1, "collided": True}, "collided", False),
        ({**stamp, "mirror": 2, "reads": []}, "bare", False),
        ({"stock": 3}, "bare", False),
        ({}, "bare", False),
        ([1], "bare", False),
        (7, "bare", False),
    ]
    made = [{"value": json.dumps(value), "is": kind, "readable": readable, "document": value if readable else None} for value, kind, readable in documents]
    for value in ["", "{", "text"]:
        made.append({"value": value, "is": "bare", "readable": False, "document": None})
    return made


def canonical(text):
    """The canonical text of what is written, or None where nothing is said of it."""
    document = parsed(text.encode())
    made = None if document is None else compact(document[0])
    return None if made == "null" else made


def written(canonical):
    """What stands in a document for it."""
    if canonical is None:
        return None
    made = {"digest": xxhash.xxh3_64_hexdigest(canonical.encode())}
    return {**made, "value": json.loads(canonical)} if len(canonical.encode()) <= 4096 else made


WRITTEN = [
    "null", "true", "false", "0", "-0.0", "1.50", "1e3", "1E-3", "12345678901234567890123", "0.1", '""', '"1.5"', '"\\u00e9"', '"é"', '"e\\u0301"', '"\\ud83d\\ude00"', '"\\ud800"', '"a\\/b\\u007f\\u0001\\n"', "[]", "{}", "[null]", '{"a":null}',
    '{"amount":12.50,"sku":"a-1"}', '{"sku":"a-1","amount":125e-1}', ' { "sku" : "a-1" , "amount" : 12.5 } ', '{"b":1,"a":2,"A":3,"ä":4,"\\ufb01":5,"\\ud83d\\ude00":6}', '{"a":1,"a":2}', '{"\\u0061":1}', "[1,[2,[3,{}]]]",
    "1e64", "[1e65]", "1" * 64, "1" * 65, '"' + "x" * 4094 + '"', '"' + "x" * 4095 + '"', '"' + "é" * 2047 + '"', '"' + "é" * 2048 + '"', '{"a":"' + " " * 4087 + '"}', '{"a":  "' + " " * 4088 + '"}', "[" * 65 + "]" * 65, "[" * 66 + "]" * 66, "", "{", "1 2", "NaN",
]


def by_document(document):
    """What production's document says that it did, in the order of asking."""
    reads, unfinished = document.get("reads", []), document.get("unfinished", [])
    asked = [(at, 1, 0, read) for at, read in enumerate(reads)]
    asked += [(read.get("at", len(reads)), 0, nth, read) for nth, read in enumerate(unfinished)]
    made = []
    for _, _, _, read in sorted(asked, key=lambda one: one[:3]):
        is_write = read["name"].startswith("write:")
        effect = {"write": read["name"][6:], "key": read["key"]} if is_write else {"read": read["name"], "key": read["key"]}
        if is_write and "written" in read:
            effect["written"] = read["written"]
        if not read.get("inside", False):
            made.append(effect)
    return made


def effects():
    """Keys of effects, what is written, and documents."""
    made = []
    for prefix in ["", "shop:", "{slot}"]:
        for send in ["0f3a-c", "A.b_c-7", "x" * 64]:
            for request_id in ["abc", "run:7", "a/b", "8f14e45f.0123456789abcdef"]:
                made.append({"key": {"prefix": prefix, "send": send, "id": request_id, "key": f"{prefix}effects/{send}:{request_id}"}})
    for send in ["", "a:b", "a/b", "a b", "ä", "x" * 65]:
        made.append({"key": {"prefix": "", "send": send, "id": "a", "key": None}})
    for text in WRITTEN:
        made.append({"written": {"json": text, "canonical": canonical(text), "written": written(canonical(text))}})
    read, write = {"read": "price", "key": "17"}, {"write": "book", "key": "7", "written": written('{"amount":1250,"sku":"17"}')}
    plain, large = {"write": "mail", "key": ""}, {"write": "page", "key": "/a b/\u00e9", "written": written('"' + "x" * 5000 + '"')}
    lists = [[], [read], [read, read, write, read], [write, write], [plain, large], [{"read": "", "key": ""}]]
    documents = [({"mirror": 1, "effects": listed}, listed, 0) for listed in lists]
    documents += [
        ({"mirror": 1, "effects": [read], "dropped": 3}, [read], 3),
        ({"mirror": 1}, [], 0),
        ({"later": [1], "mirror": 1, "dropped": 0, "effects": [{"later": 1, **write}, {"later": "x", "key": "1"}]}, [write], 0),
        ({"mirror": 2, "effects": []}, None, 0),
        ({"effects": []}, None, 0),
        ({"mirror": 1, "effects": 7}, None, 0),
        ({"mirror": 1, "effects": [7]}, None, 0),
        ([], None, 0),
    ]
    for document, listed, dropped in documents:
        made.append({"document": {"value": json.dumps(document), "effects": listed, "dropped": dropped}})
    for value in ["", "{", "text", '{"mirror":1,"effects":[]']:
        made.append({"document": {"value": value, "effects": None, "dropped": 0}})
    # Production's document says of a write what was written, and is read without it too.
    stamp = {"mirror": 1, "at": 1700000000123, "request": xxhash.xxh3_64_hexdigest(b"GET /a?b=1")}
    done = {"name": "write:book", "key": "7", "value": {"id": 4}}
    for value in [done, {**done, "written": write["written"]}, {**done, "written": large["written"]}, {"name": "write:book", "key": "7", "error": "full", "written": write["written"]}]:
        made.append({"snapshot": {"value": json.dumps({**stamp, "reads": [value]}), "written": value.get("written")}})
    # What production did, by its document. The first two are as older implementations file them.
    price, mail = {"name": "price", "key": "17"}, {"name": "write:mail", "key": "", "written": write["written"]}
    ended, failed = {**price, "value": 1}, {**done, "error": "full", "written": write["written"]}
    for document in [
        {},
        {"reads": [ended, failed, ended]},
        {"reads": [ended, {**failed, "inside": True}, {**ended, "inside": False}]},
        {"reads": [], "unfinished": [price, mail]},
        {"reads": [failed, ended], "unfinished": [{**price, "at": 0}, {**mail, "at": 1}, {**mail, "at": 1}, {**price, "at": 2}]},
        {"reads": [failed, {**ended, "inside": True}, failed], "unfinished": [{**mail, "at": 2}, price]},
        {"reads": [failed], "unfinished": [{**price, "at": 9, "later": 1}], "dropped": 4},
    ]:
        listed = by_document(document)
        made.append({"done": {"value": json.dumps({**stamp, **document}), "effects": listed, "dropped": document.get("dropped", 0)}})
    return made


def main():
    by_hand()
    at_random()
    files = {"ids": VECTORS, "rules": rules(), "keys": keys(), "snapshots": snapshots(), "targets": targets(), "numbers": numbers(), "proofs": proofs(), "effects": effects()}
    for name, vectors in files.items():
        lines = ",\n".join(json.dumps(vector) for vector in vectors)
        text, path = f"[\n{lines}\n]\n", HERE / f"{name}.json"
        if "--check" not in sys.argv:
            path.write_text(text)
        elif path.read_text() != text:
            raise SystemExit(f"{path} is not what would be written")
        print(f"{name}.json: {len(vectors)}")


main()
