//! Address vectors: every spelling that has led a fetcher inside somewhere.

use super::*;

fn guard() -> Guard {
    Guard { allow_http: false, allow_ports: Vec::new(), allow_private: false, treat_as_public: Vec::new() }
}

/// Each line: what the guard must say, then the addresses.
const REFUSED: [(&str, &[&str]); 22] = [
    // Spellings of 127.0.0.1 and its neighbours.
    (
        "loopback",
        &[
            "https://127.0.0.1/",
            "https://127.0.0.1./",
            "https://127.1/",
            "https://127.0.1/",
            "https://127.255.255.254/",
            "https://2130706433/",
            "https://017700000001/",
            "https://0x7f000001/",
            "https://0x7f.1/",
            "https://0x7f.0x0.0x0.0x1/",
            "https://0177.0.0.1/",
            "https://0177.0.0.01/",
            "https://00000177.1/",
            "https://127.0x1/",
            "https://0X7F.1/",
            "https://%31%32%37.0.0.1/",
            "https://１２７.０.０.１/",
            "https://127。0。0。1/",
            "https://①②⑦.0.0.1/",
            "https://[::1]/",
            "https://[0:0:0:0:0:0:0:1]/",
            "https://[::0001]/",
            "https://[::ffff:127.0.0.1]/",
            "https://[::ffff:7f00:1]/",
            "https://[::127.0.0.1]/",
            "https://[::ffff:0:127.0.0.1]/",
            "https://[64:ff9b::127.0.0.1]/",
            "https://[64:ff9b::7f00:1]/",
            "https://[2002:7f00:1::]/",
            "https://127.0.0.1:443/",
            "https:127.0.0.1",
            "https:/\\127.0.0.1/",
            "https:\\\\127.0.0.1\\x",
            "  https://127.0.0.1/",
            "https://127.0.0.1/\n",
            "ht\ntps://127.0.0.1/",
            "https://127.0.\t0.1/",
            "HTTPS://127.0.0.1#@1.1.1.1/",
            "https://127.0.0.1?@1.1.1.1/",
            "https://127.0.0.1\\@1.1.1.1/",
        ],
    ),
    (
        "unspecified",
        &[
            "https://0.0.0.0/",
            "https://0/",
            "https://0x0/",
            "https://00/",
            "https://0.1.2.3/",
            "https://[::]/",
            "https://[::ffff:0.0.0.0]/",
        ],
    ),
    (
        "link_local",
        &[
            "https://169.254.169.254/latest/meta-data/",
            "https://2852039166/",
            "https://0xa9fea9fe/",
            "https://0xa9.0xfe.0xa9.0xfe/",
            "https://0251.0376.0251.0376/",
            "https://169.254.43518/",
            "https://[::ffff:169.254.169.254]/",
            "https://[::ffff:a9fe:a9fe]/",
            "https://[64:ff9b::a9fe:a9fe]/",
            "https://[2002:a9fe:a9fe::1]/",
            "https://[fe80::1]/",
            "https://[febf::ffff]/",
        ],
    ),
    (
        "private",
        &[
            "https://10.0.0.1/",
            "https://167772161/",
            "https://012.0.0.1/",
            "https://10.1/",
            "https://172.16.0.1/",
            "https://172.31.255.255/",
            "https://192.168.1.1/",
            "https://3232235777/",
            "https://0xc0a80101/",
            "https://0300.0250.1.1/",
            "https://100.64.0.1/",
            "https://100.127.255.254/",
            "https://[fc00::1]/",
            "https://[fd00:ec2::254]/",
            "https://[::ffff:10.0.0.1]/",
            "https://[64:ff9b::192.168.0.1]/",
            "https://[2002:c0a8:101::]/",
            "https://[fec0::1]/",
        ],
    ),
    ("multicast", &["https://224.0.0.1/", "https://239.255.255.250/", "https://[ff02::1]/", "https://[ff0e::1]/"]),
    (
        "reserved",
        &[
            "https://192.0.0.192/",
            "https://192.0.2.1/",
            "https://192.88.99.1/",
            "https://198.18.0.1/",
            "https://198.51.100.1/",
            "https://203.0.113.1/",
            "https://240.0.0.1/",
            "https://255.255.255.255/",
            "https://[100::1]/",
            "https://[2001::1]/",
            "https://[2001:db8::1]/",
            "https://[2001:10::1]/",
            "https://[3fff::1]/",
            "https://[5f00::1]/",
            "https://[4000::1]/",
        ],
    ),
    (
        "transitional",
        &[
            "https://[::ffff:8.8.8.8]/",
            "https://[64:ff9b::8.8.8.8]/",
            "https://[64:ff9b:1::808:808]/",
            "https://[2002:808:808::1]/",
        ],
    ),
    (
        "local_name",
        &[
            "https://localhost/",
            "https://localhost./",
            "https://LOCALHOST/",
            "https://loc%61lhost/",
            "https://ｌｏｃａｌｈｏｓｔ/",
            "https://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ/",
            "https://a.localhost/",
            "https://a.b.localhost./",
            "https://printer.local/",
            "https://metadata.google.internal/",
            "https://router.lan/",
            "https://box.home.arpa/",
            "https://redis/",
            "https://kubernetes.default.svc.cluster.local/",
            "https://localhost.localdomain/",
            "https://1.0.0.127.in-addr.arpa/",
            "https://loc\u{ad}alhost/",
            "https://metadata/",
        ],
    ),
    (
        "user_info",
        &[
            "https://user@example.com/",
            "https://user:pass@example.com/",
            "https://:pass@example.com/",
            "https://example.com@127.0.0.1/",
            "https://127.0.0.1:443@example.com/",
        ],
    ),
    (
        "port",
        &[
            "https://example.com:80/",
            "https://example.com:8443/",
            "https://example.com:22/",
            "https://example.com:6379/",
            "https://example.com:65535/",
            "https://example.com:0/",
        ],
    ),
    (
        "scheme",
        &[
            "http://example.com/",
            "ftp://example.com/a.png",
            "file:///etc/passwd",
            "gopher://example.com/_x",
            "dict://example.com:11211/",
        ],
    ),
    (
        "scheme",
        &[
            "data:text/html,x",
            "javascript:alert(1)",
            "blob:https://example.com/1",
            "ws://example.com/",
            "unix:/run/x.sock",
            "view-source:https://example.com/",
        ],
    ),
    ("scheme", &["ldap://example.com/", "jar:https://example.com!/", "about:blank", "urn:x:y"]),
    (
        "malformed",
        &["", " ", "image.png", "/etc/passwd", "//example.com/x", "https://", "https:///", "https://?", "https://#"],
    ),
    (
        "malformed",
        &["https://[::1", "https://::1/", "https://[fe80::1%25eth0]/", "https://[fe80::1%eth0]/", "https://[::1]x/"],
    ),
    (
        "malformed",
        &[
            "https://[::ffff:127.0.0.1.]/",
            "https://[1::2::3]/",
            "https://[:::]/",
            "https://[v1.fe80::a]/",
            "https://[]/",
        ],
    ),
    (
        "malformed",
        &[
            "https://256.0.0.1/",
            "https://1.2.3.4.5/",
            "https://0x100000000/",
            "https://4294967296/",
            "https://127.0.0.0x100/",
        ],
    ),
    ("malformed", &["https://08.0.0.1/", "https://127.0.0.1.1.1/", "https://example.0/", "https://example.1./"]),
    (
        "malformed",
        &[
            "https://exa mple.com/",
            "https://exa%00mple.com/",
            "https://exa<mple.com/",
            "https://a%2fb.com/",
            "https://a%23b.com/",
        ],
    ),
    (
        "malformed",
        &[
            "https://example.com:99999/",
            "https://example.com:-1/",
            "https://example.com:x/",
            "https://xn--/",
            "https://xn--a/",
        ],
    ),
    (
        "malformed",
        &["https://exa\u{0}mple.com/", "https://a|b.com/", "https://a^b.com/", "https://%zz/", "https://\u{202e}moc/"],
    ),
    ("malformed", &["https://a..b.com:x/", "https://[::1]:99999/", "https://[/", "https://]/", "https://%5B::1%5D/"]),
];

const ALLOWED: [&str; 14] = [
    "https://example.com/a.png",
    "https://EXAMPLE.com./a.png?x=1#y",
    "https://example.com:443/",
    "https://bücher.example/x",
    "https://xn--bcher-kva.example/x",
    "https://8.8.8.8/",
    "https://134744072/",
    "https://0x08080808/",
    "https://[2606:4700::1111]/",
    "https://[2606:4700::1111]:443/",
    "https://local.example.com/",
    "https://notlocalhost.example/",
    "https://localhost.example.com/",
    "https://127.0.0.1.nip.io/",
];

#[test]
fn m3_every_spelling_of_a_forbidden_address_is_refused_for_its_reason() {
    let mut vectors = 0;
    for (reason, addresses) in REFUSED {
        for address in addresses {
            match guard().check_text(address) {
                Err(denied) => assert_eq!(denied.as_str(), reason, "{address:?}"),
                Ok(url) => panic!("{address:?} passed as {url}"),
            }
            vectors += 1;
        }
    }
    assert!(vectors >= 180, "{vectors}");
}

#[test]
fn m1_public_https_addresses_pass() {
    for address in ALLOWED {
        assert!(guard().check_text(address).is_ok(), "{address}");
    }
}

#[test]
fn m1_http_and_ports_need_the_operators_word() {
    let open = Guard { allow_http: true, allow_ports: vec![8080], ..guard() };
    assert!(open.check_text("http://example.com/").is_ok());
    assert!(open.check_text("http://example.com:8080/").is_ok());
    assert!(open.check_text("https://example.com:8080/").is_ok());
    assert_eq!(open.check_text("http://example.com:443/").err(), Some(Denied::Port));
    assert_eq!(open.check_text("http://127.0.0.1/").err(), Some(Denied::Address(AddressClass::Loopback)));
    let lab = Guard { allow_private: true, ..open };
    assert!(lab.check_text("http://127.0.0.1:8080/").is_ok());
    assert!(lab.check_text("http://localhost/").is_ok());
}

#[test]
fn m2_one_address_that_is_not_public_condemns_the_name() {
    let public: IpAddr = [93, 184, 216, 34].into();
    let private: IpAddr = [10, 0, 0, 1].into();
    assert_eq!(guard().check_addresses(&[public]), Ok(()));
    assert_eq!(guard().check_addresses(&[public, private]), Err(Denied::Address(AddressClass::Private)));
    assert_eq!(guard().check_addresses(&[private, public]), Err(Denied::Address(AddressClass::Private)));
    assert_eq!(guard().check_addresses(&[]), Err(Denied::NoAddress));
}

#[test]
fn an_endless_address_is_not_parsed() {
    let address = format!("https://example.com/{}", "a".repeat(MAX_URL_BYTES));
    assert_eq!(guard().check_text(&address).err(), Some(Denied::Malformed));
}
