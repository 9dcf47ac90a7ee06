//! Money over the wire: what is answered, what is refused by field, and who sees what.

use tonic::{Code, Status};
use wire::soke::v1;

use crate::zone::{Zone, bearing, refusal};

const fn money(ten_thousandths: i64) -> Option<v1::Money> {
    Some(v1::Money { ten_thousandths })
}

fn fields(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

#[tokio::test]
async fn a_price_without_a_sum_or_with_an_unknown_basis_is_refused_by_field() {
    let zone = Zone::new().await;
    let owner = zone.owner().await;
    for (price, basis, wrong) in [
        (None, 0, vec!["price"]),
        (money(400), 5, vec!["basis"]),
        (None, -1, vec!["price", "basis"]),
    ] {
        let message = v1::SetPriceRequest {
            path: "local.local".to_owned(),
            price,
            basis,
            ..v1::SetPriceRequest::default()
        };
        let answer = zone.accounts().set_price(bearing(&owner, message)).await;
        assert_eq!(refusal(answer), (Code::InvalidArgument, fields(&wrong)));
    }
}

#[tokio::test]
async fn a_payment_without_a_sum_and_a_question_for_no_account_are_refused_by_field() {
    let zone = Zone::new().await;
    let owner = zone.owner().await;
    let message = v1::PayRequest {
        account: "team".to_owned(),
        ..v1::PayRequest::default()
    };
    let answer = zone.accounts().pay(bearing(&owner, message)).await;
    assert_eq!(refusal(answer), (Code::InvalidArgument, fields(&["amount"])));
    let message = v1::GetAccountRequest::default();
    let answer = zone.accounts().get_account(bearing(&owner, message)).await;
    assert_eq!(refusal(answer), (Code::InvalidArgument, fields(&["name"])));
}

#[tokio::test]
async fn what_is_wrong_with_a_list_is_said_by_field() {
    let zone = Zone::new().await;
    let owner = zone.owner().await;
    let long = "1".repeat(65);
    for (page_size, page_token, of_tenants, wrong) in [
        (1001, "", false, vec!["page_size"]),
        (0, "next", false, vec!["page_token"]),
        (1001, long.as_str(), false, vec!["page_size", "page_token"]),
        (0, "1.2.3", true, vec!["page_token", "user_name", "account"]),
    ] {
        let message = v1::ListChargesRequest {
            page_size,
            page_token: page_token.to_owned(),
            account: "team".to_owned(),
            user_name: "bob".to_owned(),
            of_tenants,
            ..v1::ListChargesRequest::default()
        };
        let answer = zone.accounts().list_charges(bearing(&owner, message)).await;
        assert_eq!(refusal(answer), (Code::InvalidArgument, fields(&wrong)));
        let message = v1::ListPaymentsRequest {
            page_size,
            page_token: page_token.to_owned(),
            account: "team".to_owned(),
            of_tenants,
            ..v1::ListPaymentsRequest::default()
        };
        let wrong: Vec<&str> = wrong.into_iter().filter(|&field| field != "user_name").collect();
        let answer = zone.accounts().list_payments(bearing(&owner, message)).await;
        assert_eq!(refusal(answer), (Code::InvalidArgument, fields(&wrong)));
    }
}

#[tokio::test]
async fn a_member_moves_no_money_and_sets_no_price() {
    let zone = Zone::new().await;
    let owner = zone.owner().await;
    let bob = zone.member(&owner, "bob").await;
    let pay = v1::PayRequest {
        account: "team".to_owned(),
        amount: money(1),
        ..v1::PayRequest::default()
    };
    let price = v1::SetPriceRequest {
        path: "local.local".to_owned(),
        price: money(1),
        ..v1::SetPriceRequest::default()
    };
    let account = v1::CreateAccountRequest {
        name: "mine".to_owned(),
        ..v1::CreateAccountRequest::default()
    };
    let refused: [Status; 3] = [
        zone.accounts()
            .pay(bearing(&bob, pay))
            .await
            .expect_err("refused"),
        zone.accounts()
            .set_price(bearing(&bob, price))
            .await
            .expect_err("refused"),
        zone.accounts()
            .create_account(bearing(&bob, account))
            .await
            .expect_err("refused"),
    ];
    for status in refused {
        assert_eq!(status.code(), Code::PermissionDenied, "{status:?}");
    }
}
