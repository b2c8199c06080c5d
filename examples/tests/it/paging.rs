//! Pages of the simulator, both ways, and the ways to lose rows that real clients have found.

use reqwest::StatusCode;
use serde_json::{Value, json};
use tidegate_examples::autotask::GetAfterPost;

use crate::vendor::{Vendor, everything, ids_of, read};

fn next(page: &Value) -> &str {
    page["pageDetails"]["nextPageUrl"].as_str().unwrap()
}

#[tokio::test]
async fn a_post_is_continued_by_posting_the_same_filter_to_the_next_url() {
    let vendor = Vendor::with_companies(1_200).await;
    let query = json!({"MaxRecords": 500, "filter": everything()});
    let (_, first) = vendor.query("Companies", query.clone()).await;
    assert_eq!(first["pageDetails"]["count"], 500);
    assert_eq!(first["pageDetails"]["requestCount"], 500);
    assert!(next(&first).contains("/ATServicesRest/V1.0/Companies/query/next?paging=%7b%22pageSize%22%3a500"));
    assert_eq!(
        vendor.ids("Companies", &everything()).await,
        vendor.control.ids("Companies")
    );

    let (status, refused) = read(vendor.get(next(&first)).send().await.unwrap()).await;
    assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(
        refused["Message"],
        "The requested resource does not support http method 'GET'."
    );
    vendor
        .control
        .configure(|settings| settings.get_after_post = GetAfterPost::EmptyPage);
    let (status, empty) = read(vendor.get(next(&first)).send().await.unwrap()).await;
    assert_eq!((status, ids_of(&empty).len()), (StatusCode::OK, 0));
}

#[tokio::test]
async fn a_get_is_continued_by_getting_the_next_url_as_it_is() {
    let vendor = Vendor::with_companies(700).await;
    let search = json!({"filter": [{"op": "noteq", "field": "companyName", "value": "it's \"quoted\" \\ so"}], "MaxRecords": 300});
    let mut url = reqwest::Url::parse(&vendor.url("Companies/query")).unwrap();
    url.query_pairs_mut().append_pair("search", &search.to_string());
    let mut ids = Vec::new();
    let mut next_url = Some(url.to_string());
    while let Some(url) = next_url {
        let (status, page) = read(vendor.get(&url).send().await.unwrap()).await;
        assert_eq!(status, StatusCode::OK, "{page}");
        ids.extend(ids_of(&page));
        next_url = page["pageDetails"]["nextPageUrl"].as_str().map(str::to_owned);
    }
    assert_eq!(ids, vendor.control.ids("Companies"));
    assert_eq!(vendor.control.requests().len(), 3);
}

#[tokio::test]
async fn a_get_url_that_grows_too_long_is_a_404() {
    let vendor = Vendor::with_companies(1).await;
    let search = json!({"filter": [{"op": "eq", "field": "companyName", "value": "x".repeat(2_100)}]});
    let mut url = reqwest::Url::parse(&vendor.url("Companies/query")).unwrap();
    url.query_pairs_mut().append_pair("search", &search.to_string());
    assert_eq!(
        vendor.get(url.as_str()).send().await.unwrap().status(),
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn an_id_walk_needs_no_cursor() {
    let vendor = Vendor::with_companies(1_100).await;
    let (mut ids, mut last) = (Vec::<i64>::new(), -1);
    loop {
        let filter = json!([{"op": "gt", "field": "id", "value": last},
                            {"op": "gte", "field": "lastActivityDate", "value": "2000-01-01T00:00:00.000Z"}]);
        let (_, page) = vendor.query("Companies", json!({"filter": filter})).await;
        let page = ids_of(&page);
        ids.extend(&page);
        if page.len() < 500 {
            break;
        }
        last = page[499];
    }
    assert_eq!(ids, vendor.control.ids("Companies"));
}

#[tokio::test]
async fn the_page_size_is_between_1_and_500_in_either_spelling() {
    let vendor = Vendor::with_companies(10).await;
    for name in ["MaxRecords", "maxRecords"] {
        for (records, good) in [(0, false), (1, true), (500, true), (501, false), (20_000, false)] {
            let (status, body) = vendor
                .query("Companies", json!({name: records, "Filter": everything()}))
                .await;
            assert_eq!(status == StatusCode::OK, good, "{name} {records}");
            if !good {
                assert_eq!(
                    body,
                    json!({"errors": ["maxCountOfRecordsToReturn must be between 1 and 500"]})
                );
            }
        }
    }
}

#[tokio::test]
async fn only_included_fields_come_and_the_user_defined_list_stays() {
    let vendor = Vendor::with_companies(1).await;
    let query = json!({"IncludeFields": ["ID", "companyname"], "filter": [{"op": "eq", "field": "id", "value": 0}]});
    let (_, page) = vendor.query("Companies", query).await;
    let row = page["items"][0].as_object().unwrap();
    assert_eq!(
        row.keys().collect::<Vec<_>>(),
        ["companyName", "id", "userDefinedFields"]
    );
    assert_eq!(row["userDefinedFields"], json!([]));
    let query = json!({"IncludeFields": ["id", "nonsense"], "filter": everything()});
    let (_, body) = vendor.query("Companies", query).await;
    assert_eq!(body["errors"][0], "Unable to find nonsense in the Company Entity");
}
