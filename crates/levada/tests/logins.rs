//! Signing in at a server from the command line, and what is told when that, or the server, is not as it should be.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;
use tempfile::TempDir;

use crate::project::{BOTH, Kept};
use crate::remote::{PASSWORD, There, piped, refused, told};

fn mode(path: &std::path::Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_login_is_kept_for_its_owner_alone() {
    for kept in BOTH {
        let there = There::new(kept, "login");
        let folder = there.config.path().join("levada");
        let file = folder.join("logins.json");
        assert_eq!((mode(&folder), mode(&file)), (0o700, 0o600));
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1, "nothing else stays");
        let first: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
        let text = first["servers"][&there.served.url]["token"].as_str().unwrap().to_owned();

        // signing in again puts a new token in place of the old one, which is good for nothing any more
        let again =
            piped(there.command(&["login", "--user", "anna", "--role", "viewer", "--output", "json"]), PASSWORD);
        let again: Value = serde_json::from_str(&told(&again, 0)).unwrap();
        assert_eq!((&again["name"], &again["role"]), (&"anna".into(), &"viewer".into()));
        let old = there.command(&["runs"]).env("LEVADA_TOKEN", &text).output().unwrap();
        assert!(refused(&old, 1).contains(&format!("levada login {}", there.served.url)));
        there.told(0, &["runs"]);
        assert!(there.refused(1, &["pause", "load"]).contains("This takes the role operator"));

        // a token that is given, also by the environment, and by the server of the environment
        let made = there.project.json(&["tokens", "add", "given", "--user", "anna", "--role", "operator"]);
        let given = piped(there.command(&["login", "--token-stdin"]), made["text"].as_str().unwrap());
        assert!(told(&given, 0).contains("as anna (operator)"));
        there.told(0, &["pause", "load"]);
        let mut by_environment = there.project.command(&["pipelines"]);
        by_environment.env("LEVADA_SERVER", &there.served.url).env("XDG_CONFIG_HOME", there.config.path());
        told(&by_environment.env("LEVADA_DATABASE", "/nowhere/levada.db").output().unwrap(), 0);

        // others may not have read it
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
        let open = there.refused(3, &["runs"]);
        assert!(open.contains("logins.json") && open.contains("chmod 600"), "{open}");
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();

        let wrong = piped(there.command(&["login", "--user", "anna"]), "not the password");
        assert!(refused(&wrong, 1).contains("Name or password are wrong"));
        there.told(0, &["runs"]);
        told(&piped(there.command(&["login", "--user", "anna"]), PASSWORD), 0);
        let kept_now: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
        let text = kept_now["servers"][&there.served.url]["token"].as_str().unwrap().to_owned();
        there.told(0, &["logout"]);
        assert!(there.refused(1, &["runs"]).contains("levada login"));
        let gone = there.command(&["runs"]).env("LEVADA_TOKEN", &text).output().unwrap();
        assert!(refused(&gone, 1).contains("levada login"), "the server knows it no more");
        assert!(!std::fs::read_to_string(&file).unwrap().contains("lvd_"));
    }
}

#[test]
fn a_token_that_is_over_or_none_is_told() {
    for kept in BOTH {
        let there = There::new(kept, "tokens");
        there.project.meta("UPDATE tokens SET expires_at = 1000000");
        let over = there.refused(1, &["runs"]);
        assert!(over.contains(&there.served.url) && over.contains("levada login"), "{over}");
        for token in ["lvd_1_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "nonsense"] {
            let output = there.command(&["runs", "--output", "json"]).env("LEVADA_TOKEN", token).output().unwrap();
            let err = refused(&output, 1);
            let err: Value = serde_json::from_str(&err).unwrap_or_else(|_| panic!("{err}"));
            assert_eq!(err["errors"][0]["code"], "auth", "{err}");
            assert!(!err.to_string().contains(token), "{err}");
        }
        let odd = there.command(&["runs"]).env("LEVADA_TOKEN", "two\nlines").output().unwrap();
        assert!(refused(&odd, 2).contains("lvd_"));
    }
}

/// Answers every request with the same text; tells how often it was asked, and by whom.
fn answering(answer: String) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = asked.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            counter.fetch_add(1, Ordering::SeqCst);
            let mut head = [0; 4_096];
            let _ = stream.read(&mut head);
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    (url, asked)
}

fn bare(arguments: &[&str]) -> std::process::Output {
    let folder = TempDir::new().unwrap();
    let mut command = Command::new(crate::support::LEVADA);
    command.args(arguments).current_dir(folder.path()).env("XDG_CONFIG_HOME", folder.path());
    command.env("LEVADA_TOKEN", "lvd_1_c4n4ry").env_remove("LEVADA_SERVER").output().unwrap()
}

#[test]
fn a_server_that_is_away_or_none_is_told() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let away = format!("http://{}", free.local_addr().unwrap());
    drop(free);
    let err = refused(&bare(&["runs", "--server", &away]), 1);
    assert!(err.contains(&away) && err.contains("does not answer") && err.contains("levada serve"), "{err}");

    let page = "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 2\r\nconnection: close\r\n\r\nhi";
    let other_json = page.replace("text/html", "application/json").replace("hi", "{}");
    let gateway = page.replace("200 OK", "502 Bad Gateway");
    for answer in [page.to_owned(), other_json, gateway] {
        let (url, _) = answering(answer.clone());
        let err = refused(&bare(&["pipelines", "--server", &url]), 1);
        assert!(err.contains(&url) && err.contains("not a Levada server"), "{answer}: {err}");
    }

    // no token follows where a server sends
    let (elsewhere, asked) = answering(page.to_owned());
    let sends = format!(
        "HTTP/1.1 307 Temporary Redirect\r\nlocation: {elsewhere}/api\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    );
    let (url, _) = answering(sends);
    let err = refused(&bare(&["pipelines", "--server", &url]), 1);
    assert!(err.contains(&elsewhere) && asked.load(Ordering::SeqCst) == 0, "{err}");
}

#[test]
fn what_cannot_be_asked_of_a_server_is_refused() {
    let there: &[&[&str]] = &[
        &["run", "x.yaml"],
        &["copy", "a", "b"],
        &["serve"],
        &["worker"],
        &["db", "move", "--to", "x.db"],
        &["init"],
        &["schema"],
        &["completions", "bash"],
    ];
    for arguments in there {
        let output = bare(&[arguments, &["--server", "http://127.0.0.1:1"][..]].concat());
        let err = refused(&output, 2);
        assert!(err.contains("works on this machine") && output.stdout.is_empty(), "{arguments:?}: {err}");
    }
    for address in ["http://192.0.2.1", "http://levada.example.com:7717"] {
        let err = refused(&bare(&["runs", "--server", address]), 2);
        assert!(err.contains("in the clear") && err.contains("--insecure-http"), "{err}");
        let output = piped(
            {
                let mut login = Command::new(crate::support::LEVADA);
                login.args(["login", address, "--user", "a"]);
                login
            },
            PASSWORD,
        );
        assert!(refused(&output, 2).contains("in the clear"));
    }
    assert!(refused(&bare(&["runs", "--server", "levada.example.com"]), 2).contains("https://HOST"));
    assert!(refused(&bare(&["login"]), 2).contains("no server is given"));
}

#[test]
fn a_server_has_to_be_the_one_that_its_certificate_names() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    let openssl = |arguments: &[&str]| {
        let output = Command::new("openssl").args(arguments).current_dir(folder.path()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
    let ca = ["-addext", "basicConstraints=critical,CA:TRUE", "-keyout", "ca.key", "-out", "ca.crt"];
    openssl(&[&["req", "-x509", "-subj", "/CN=an authority"][..], &key, &ca].concat());
    openssl(&[&["req", "-subj", "/CN=a server", "-keyout", "s.key", "-out", "s.csr"][..], &key[..5]].concat());
    std::fs::write(folder.path().join("ext"), "basicConstraints=CA:FALSE\nsubjectAltName=IP:127.0.0.1\n").unwrap();
    let sign = ["x509", "-req", "-in", "s.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2"];
    openssl(&[&sign[..], &["-extfile", "ext", "-out", "s.crt"]].concat());

    let mut there = There::new(Kept::Sqlite, "tls");
    there.served = there.project.serve_with(&["--tls-cert", &at("s.crt"), "--tls-key", &at("s.key")]);
    assert!(there.served.url.starts_with("https://127.0.0.1:"), "{}", there.served.url);
    let ca = at("ca.crt");
    let login = ["login", "--user", "anna"];
    let err = refused(&piped(there.command(&login), PASSWORD), 1);
    assert!(err.contains("is not trusted") && err.contains("--ca FILE"), "{err}");
    told(&piped(there.command(&[&login[..], &["--ca", &ca]].concat()), PASSWORD), 0);
    there.told(0, &["runs", "--ca", &ca]);
    assert!(there.refused(1, &["runs"]).contains("is not trusted"));
    // the same server by a name that it does not have
    let other = there.served.url.replace("127.0.0.1", "localhost");
    let mut by_name = there.project.command(&["runs", "--ca", &ca, "--server", &other]);
    assert!(refused(&by_name.output().unwrap(), 1).contains("is not trusted"));
    assert!(there.refused(2, &["runs", "--ca", &at("ext")]).contains("no certificate"));
    let logins = std::fs::read_to_string(there.config.path().join("levada/logins.json")).unwrap();
    let logins: Value = serde_json::from_str(&logins).unwrap();
    assert_eq!(logins["servers"].as_object().unwrap().len(), 2, "one for each server");
}
