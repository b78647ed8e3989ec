//! What was acknowledged is there after the node has gone and come back.

use super::circle::{self, Act, Net, hub, job, lender, outputs};
use grove::shell::{Gone, Role};
use grove::store::{BlobId, StoreError};
use grove_core::id::{JobId, PersonId};
use grove_core::job::{Source, Standing};
use grove_core::ledger::Account;
use grove_core::limits;
use grove_core::message::Data;
use grove_core::node::{News, Reply, Wish};
use std::sync::Arc;
use std::time::Duration;

const SLOW: Act = |part| {
    std::thread::sleep(Duration::from_micros(200));
    Ok(part.args[0].clone().into_bytes())
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hub_that_stops_in_the_middle_goes_on_where_it_was() {
    let (net, dirs) = (Net::default(), [(); 2].map(|()| tempfile::tempdir().unwrap()));
    let lender = net.start(dirs[1].path(), lender(), SLOW);
    let mut first_id = None;
    let id = JobId(3);
    for life in 0..4 {
        let hub = net.start(dirs[0].path(), hub(), SLOW);
        assert_eq!(*first_id.get_or_insert(hub.id), hub.id, "a node keeps its name");
        net.link(&hub, &lender);
        if life == 0 {
            let inputs = (0..2_000).map(|n: u64| Data::Inline { bytes: Arc::from(n.to_string().as_bytes()) }).collect();
            let job = job(&hub.door, id.0, Source::Listed { count: 2_000 });
            assert!(circle::accepted(&hub.door.submit(job, inputs).await.unwrap()));
        }
        if life == 3 {
            let (standing, found) = outputs(&hub.door, id).await;
            let right: Vec<(u64, Vec<u8>)> = (0..2_000_u64).map(|n| (n, n.to_string().into_bytes())).collect();
            assert_eq!((standing, found), (Standing::Done, right));
            assert_eq!(hub.door.look(|node| node.state().ledger().sum()).await.unwrap(), 0);
            return;
        }
        tokio::time::sleep(Duration::from_millis(30)).await;
        let (door, before) = (hub.door.clone(), hub.id);
        net.lose(before);
        hub.running.stop().await.unwrap();
        assert_eq!(door.look(|_| ()).await, Err(Gone));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_start_mints_once_and_news_come_after_their_commit() {
    let (net, dir) = (Net::default(), tempfile::tempdir().unwrap());
    let person = Account::Person(PersonId(1));
    for life in 0..2_u64 {
        let hub = net.start(dir.path(), Role { slots: 1, ..hub() }, SLOW);
        let has = hub.door.look(move |node| node.state().ledger().balance(person)).await.unwrap();
        assert!(has <= limits::FIRST_GRANT && (life > 0 || has == limits::FIRST_GRANT), "{has:?}");
        let mut news = hub.door.news();
        let refused = hub.door.submit(job(&hub.door, 9, Source::Numbers { from: 0, count: 0 }), Vec::new()).await;
        assert!(!circle::accepted(&refused.unwrap()));
        assert!(news.try_recv().is_err(), "nothing happened");
        let id = JobId(5 + life);
        hub.door.submit(job(&hub.door, id.0, Source::Numbers { from: 0, count: 1 }), Vec::new()).await.unwrap();
        let told = news.recv().await.unwrap();
        assert!(matches!(told[0].news, News::Submitted { job } if job == id), "{told:?}");
        outputs(&hub.door, id).await;
        hub.running.stop().await.unwrap();
        net.lose(hub.id);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_over_its_quota_takes_nothing_new_and_goes_on_with_the_rest() {
    let (net, dirs) = (Net::default(), [(); 2].map(|()| tempfile::tempdir().unwrap()));
    let long: Act = |_| Ok(vec![b'x'; 4_000]);
    let hub = net.start(dirs[0].path(), Role { disk_bytes: 256 << 10, ..hub() }, long);
    let lender = net.start(dirs[1].path(), lender(), long);
    net.link(&hub, &lender);
    let job = job(&hub.door, 1, Source::Numbers { from: 0, count: 200 });
    hub.door.submit(job, Vec::new()).await.unwrap();
    let (standing, all) = outputs(&hub.door, JobId(1)).await;
    assert_eq!(standing, Standing::Done, "what was accepted is done");
    assert!(all.len() == 200 && all.iter().all(|(_, output)| output.len() == 4_000), "and kept");
    let error = hub.door.blobs().has_room().unwrap_err();
    assert!(matches!(error, StoreError::OverQuota { .. }) && error.to_string().contains("hint: "), "{error}");
    let upload = |len: usize| {
        let bytes = vec![7; len];
        let mut upload = hub.door.blobs().upload(BlobId::of(&bytes)).unwrap();
        upload.write(&bytes)
    };
    assert!(matches!(upload(10), Err(StoreError::OverQuota { .. })), "nothing new is brought");
    // Whoever takes jobs off the books has room again.
    assert!(matches!(hub.door.ask(Wish::Forget { job: JobId(1) }).await, Ok(Reply::Done)));
    let room = async {
        while hub.door.blobs().has_room().is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), room).await.unwrap();
    assert!(upload(10).is_ok());
    hub.running.stop().await.unwrap();
}
