//! The API as programs meet it, strangers among them: raw HTTP, without the command line.

use super::{Hub, noop};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// Sends one request as it is, and reads all that comes back.
fn raw(hub: &Hub, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(hub.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream.write_all(request).unwrap();
    let mut answer = Vec::new();
    // A connection that is reset has said what it had to say.
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

fn ask(hub: &Hub, method: &str, path: &str, headers: &str, body: &str) -> (u16, serde_json::Value) {
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\nconnection: close\r\n\
         content-length: {}\r\n{headers}\r\n{body}",
        hub.address,
        hub.token,
        body.len()
    );
    let answer = raw(hub, request.as_bytes());
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    (status, serde_json::from_str(body).unwrap_or_default())
}

fn send_tool(hub: &Hub) -> String {
    let module = std::fs::read(noop()).unwrap();
    let blob = blake3::hash(&module).to_hex().to_string();
    let mut request = format!(
        "PUT /v1/blobs/{blob} HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\nconnection: close\r\n\
         content-length: {}\r\n\r\n",
        hub.address,
        hub.token,
        module.len()
    )
    .into_bytes();
    request.extend_from_slice(&module);
    assert!(raw(hub, &request).starts_with("HTTP/1.1 201"));
    blob
}

#[test]
fn nobody_comes_in_without_the_token_or_from_another_site() {
    let hub = Hub::start(0);
    let (host, token) = (format!("host: {}\r\n", hub.address), format!("authorization: Bearer {}\r\n", hub.token));
    let get =
        |headers: &str| raw(&hub, format!("GET /v1/jobs HTTP/1.1\r\nconnection: close\r\n{headers}\r\n").as_bytes());
    assert!(get(&format!("{host}{token}")).starts_with("HTTP/1.1 200"));
    assert!(get(&host).starts_with("HTTP/1.1 401"));
    assert!(get(&format!("{host}authorization: Bearer {}\r\n", "0".repeat(64))).starts_with("HTTP/1.1 401"));
    assert!(get(&format!("host: evil.example\r\n{token}")).starts_with("HTTP/1.1 403"), "DNS rebinding");
    assert!(get(&format!("{host}{token}origin: http://evil.example\r\n")).starts_with("HTTP/1.1 403"), "another site");
    let wrong = get(&host);
    assert!(!wrong.contains(&hub.token) && wrong.contains("\"hint\""), "{wrong}");
}

#[test]
fn what_is_not_understood_is_answered_in_the_apis_own_words() {
    let hub = Hub::start(0);
    let code =
        |answer: &(u16, serde_json::Value)| (answer.0, answer.1["error"]["code"].as_str().unwrap_or("").to_owned());
    let check = |method: &str, path: &str, body: &str, status: u16, expect: &str| {
        let answer = ask(&hub, method, path, "", body);
        assert_eq!(code(&answer), (status, expect.to_owned()), "{method} {path} {body}");
        let told = |field: &str| answer.1["error"][field].as_str().is_some_and(|text| !text.is_empty());
        assert!(told("message") && told("hint"), "{method} {path}: {}", answer.1);
    };
    check("GET", "/v1/nothing", "", 404, "no_such_page");
    check("DELETE", "/v1/jobs", "", 405, "wrong_method");
    check("GET", "/v1/jobs?limit=x", "", 400, "wrong_query");
    check("POST", "/v1/jobs", "{", 400, "not_understood");
    check("POST", "/v1/jobs", "[]", 400, "not_understood");
    check("POST", "/v1/jobs", &"[".repeat(100_000), 400, "not_understood");
    check("POST", "/v1/jobs", r#"{"v":2}"#, 400, "wrong_version");
    check("POST", "/v1/jobs/last/inputs", r#"{"v":99,"what":[]}"#, 400, "wrong_version");
    check("POST", "/v1/jobs", r#"{"v":1}"#, 400, "not_understood");
    check("POST", "/v1/jobs", &format!(r#"{{"v":1,"name":"{}"}}"#, "x".repeat(64 << 20)), 413, "too_large");
    check("GET", "/v1/jobs/last", "", 404, "no_such_job");
    check("GET", "/v1/blobs/xyz", "", 400, "wrong_blob_id");
    check("GET", &format!("/v1/blobs/{}", "0".repeat(64)), "", 404, "no_such_blob");
    check("PUT", &format!("/v1/blobs/{}", "0".repeat(64)), "other bytes", 422, "wrong_blob");
    check("PUT", &format!("/v1/blobs/{}?offset=5", "1".repeat(64)), "x", 409, "wrong_offset");
    let missing = format!(
        r#"{{"v":1,"id":"0000000000001","name":"n","tool":{{"module":"{}"}},"source":{{"inputs":["a"]}}}}"#,
        "2".repeat(64)
    );
    check("POST", "/v1/jobs", &missing, 404, "no_such_blob");
}

#[test]
fn a_body_without_end_is_cut_off() {
    let hub = Hub::start(0);
    let answer = ask(&hub, "POST", "/v1/jobs/last/retry", "", &" ".repeat(300 << 10));
    assert_eq!((answer.0, answer.1["error"]["code"].as_str()), (413, Some("too_large")));
    let many = format!(r#"{{"v":1,"inputs":[{}"a"]}}"#, r#""a","#.repeat(100_000));
    let tool = send_tool(&hub);
    let open = format!(
        r#"{{"v":1,"id":"0000000000002","name":"n","tool":{{"module":"{tool}"}},"source":{{"inputs":[]}},"open":true}}"#
    );
    assert_eq!(ask(&hub, "POST", "/v1/jobs", "", &open).0, 201);
    let answer = ask(&hub, "POST", "/v1/jobs/last/inputs", "", &many);
    assert_eq!((answer.0, answer.1["error"]["code"].as_str()), (413, Some("too_many_inputs")));
}

#[test]
fn submitting_twice_makes_one_job_and_adding_twice_adds_once() {
    let hub = Hub::start(1);
    let tool = send_tool(&hub);
    let job = |name: &str| {
        format!(
            r#"{{"v":1,"id":"0000000000003","name":"{name}","tool":{{"module":"{tool}"}},"source":{{"inputs":["a"]}},"open":true}}"#
        )
    };
    for _ in 0..2 {
        let (status, accepted) = ask(&hub, "POST", "/v1/jobs", "", &job("n"));
        assert_eq!((status, accepted["job"].as_str()), (201, Some("0000000000003")), "{accepted}");
    }
    assert_eq!(ask(&hub, "GET", "/v1/jobs", "", "").1["total"], 1);
    let (status, refused) = ask(&hub, "POST", "/v1/jobs", "", &job("other"));
    assert_eq!((status, refused["error"]["code"].as_str()), (409, Some("id_taken")));
    let (status, refused) = ask(&hub, "POST", "/v1/jobs", "", &job("n").replace(r#"["a"]"#, r#"["A"]"#));
    assert_eq!((status, refused["error"]["code"].as_str()), (409, Some("id_taken")), "as many inputs, but others");
    assert!(refused["error"]["message"].as_str().unwrap().contains("another job has this id"), "{refused}");
    for _ in 0..2 {
        let more = r#"{"v":1,"from":1,"inputs":["b",{"base64":"/w=="}]}"#;
        let (status, added) = ask(&hub, "POST", "/v1/jobs/last/inputs?wait=true", "", more);
        assert_eq!((status, &added["from"], &added["count"]), (200, &1.into(), &2.into()), "{added}");
        assert_eq!(added["results"][0]["stdout"], "[b]\n");
    }
    let large = format!(r#"{{"v":1,"from":3,"inputs":["{}"]}}"#, "x".repeat(10_000));
    for _ in 0..2 {
        assert_eq!(ask(&hub, "POST", "/v1/jobs/last/inputs?wait=true", "", &large).0, 200, "the same, as a blob");
    }
    for others in [r#"{"v":1,"from":1,"inputs":["B"]}"#, r#"{"v":1,"from":3,"inputs":["y"]}"#] {
        let (status, refused) = ask(&hub, "POST", "/v1/jobs/last/inputs?wait=true", "", others);
        assert_eq!((status, refused["error"]["code"].as_str()), (409, Some("not_open")), "{others}");
    }
    assert_eq!(ask(&hub, "GET", "/v1/jobs/last", "", "").1["items"], 4);
}

#[test]
fn an_upload_that_broke_off_goes_on_where_it_ended() {
    let hub = Hub::start(0);
    let bytes: Vec<u8> = (0..200_000_u32).flat_map(u32::to_le_bytes).collect();
    let blob = blake3::hash(&bytes).to_hex().to_string();
    let head = |len: usize, offset: usize| {
        format!(
            "PUT /v1/blobs/{blob}?offset={offset} HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\n\
             connection: close\r\ncontent-length: {len}\r\n\r\n",
            hub.address, hub.token
        )
        .into_bytes()
    };
    let begun = std::time::Instant::now();
    let offset = loop {
        let mut stream = TcpStream::connect(hub.address).unwrap();
        let some = [&head(bytes.len(), 0)[..], &bytes[..300_000]].concat();
        stream.write_all(&some).unwrap();
        drop(stream);
        // The node notices only after a moment that the sender went; until then the upload is taken.
        std::thread::sleep(Duration::from_millis(50));
        let request = format!(
            "HEAD /v1/blobs/{blob} HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\nconnection: close\r\n\r\n",
            hub.address, hub.token
        );
        let answer = raw(&hub, request.as_bytes());
        let offset = answer.lines().find_map(|line| line.strip_prefix("upload-offset: ")?.parse::<usize>().ok());
        match offset {
            Some(offset) if offset > 0 => break offset,
            _ => assert!(begun.elapsed() < Duration::from_secs(20), "{answer}"),
        }
    };
    assert!(offset <= 300_000);
    let rest = raw(&hub, &[&head(bytes.len() - offset, offset)[..], &bytes[offset..]].concat());
    assert!(rest.starts_with("HTTP/1.1 201"), "{rest}");
    let whole = raw(
        &hub,
        format!(
            "GET /v1/blobs/{blob} HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\nconnection: close\r\n\r\n",
            hub.address, hub.token
        )
        .as_bytes(),
    );
    assert!(whole.contains("content-disposition: attachment") && whole.contains("x-content-type-options: nosniff"));
}

#[test]
fn events_tell_the_story_of_a_job() {
    let hub = Hub::start(1);
    let mut stream = TcpStream::connect(hub.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let request =
        format!("GET /v1/events HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\n\r\n", hub.address, hub.token);
    stream.write_all(request.as_bytes()).unwrap();
    let mut seen = String::new();
    let mut buffer = [0; 4_096];
    let begins = stream.read(&mut buffer).unwrap();
    seen.push_str(&String::from_utf8_lossy(&buffer[..begins]));
    assert_eq!(hub.grove(&["run", &noop(), ":::", "a"]).code, 0);
    while !seen.contains(r#""type":"ended""#) {
        let read = stream.read(&mut buffer).unwrap();
        assert!(read > 0, "{seen}");
        seen.push_str(&String::from_utf8_lossy(&buffer[..read]));
    }
    for kind in ["submitted", "given", "answered", "finished", "paid"] {
        assert!(seen.contains(&format!(r#""type":"{kind}""#)), "{kind} in {seen}");
    }
}

#[test]
fn every_change_of_a_balance_is_a_line_of_the_account() {
    let hub = Hub::start(1);
    let blob = send_tool(&hub);
    let id = "0000000000abc";
    let job = format!(
        r#"{{"v":1,"id":"{id}","name":"n","tool":{{"module":"{blob}"}},"source":{{"numbers":{{"from":"0","count":3}}}}}}"#
    );
    let (status, accepted) = ask(&hub, "POST", "/v1/jobs", "content-type: application/json\r\n", &job);
    assert_eq!(status, 201, "{accepted}");
    ask(&hub, "GET", &format!("/v1/jobs/{id}/results?from=3&wait_ms=20000"), "", "");
    let (_, credits) = ask(&hub, "GET", "/v1/credits", "", "");
    assert_eq!((&credits["held"], &credits["held_by"]), (&"0".into(), &serde_json::json!([])), "{credits}");
    let (_, log) = ask(&hub, "GET", "/v1/credits/log", "", "");
    let lines = log["lines"].as_array().unwrap();
    let whys: Vec<&str> = lines.iter().map(|line| line["why"].as_str().unwrap()).collect();
    assert!(whys.starts_with(&["granted", "held"]) && whys.contains(&"returned"), "{log}");
    assert!(lines.iter().filter_map(|line| line["job"].as_str()).all(|job| job == id), "{log}");
    let number = |value: &serde_json::Value| value.as_str().unwrap().parse::<i64>().unwrap();
    let mut sum = 0;
    for line in lines {
        sum += number(&line["amount"]);
        assert_eq!(number(&line["balance"]), sum, "{log}");
    }
    assert_eq!(sum, number(&credits["available"]));
    let (_, first) = ask(&hub, "GET", "/v1/credits/log?limit=1", "", "");
    assert_eq!(first["lines"], serde_json::json!([lines[0]]));
    let (_, rest) = ask(&hub, "GET", &format!("/v1/credits/log?from={}", first["next"].as_str().unwrap()), "", "");
    assert_eq!(rest["lines"].as_array().unwrap(), &lines[1..]);
}
