//! AWS Signature Version 4, for requests without a query.

use hmac::{Hmac, KeyInit as _, Mac as _};
use http::header::{AUTHORIZATION, HeaderName, HeaderValue};
use reqwest::Request;
use sha2::{Digest as _, Sha256};
use url::Url;

use super::Bucket;
use crate::error::StorageError;

const CONTENT_SHA256: HeaderName = HeaderName::from_static("x-amz-content-sha256");
const DATE: HeaderName = HeaderName::from_static("x-amz-date");

/// Signs a request whose body has a SHA-256, given in hex.
pub(super) fn sign(
    request: &mut Request,
    bucket: &Bucket,
    sha256: &str,
    now_ms: i64,
) -> Result<(), StorageError> {
    let time = Time::of(now_ms);
    let authorization = authorization(
        request.method().as_str(),
        request.url(),
        bucket,
        sha256,
        &time,
    )?;
    let value = |text: &str| HeaderValue::from_str(text).map_err(|_| StorageError::Settings);
    let headers = request.headers_mut();
    headers.insert(DATE, value(&time.full)?);
    headers.insert(CONTENT_SHA256, value(sha256)?);
    let mut authorization = value(&authorization)?;
    authorization.set_sensitive(true);
    headers.insert(AUTHORIZATION, authorization);
    Ok(())
}

fn authorization(
    method: &str,
    url: &Url,
    bucket: &Bucket,
    sha256: &str,
    time: &Time,
) -> Result<String, StorageError> {
    let host = url.host_str().ok_or(StorageError::Settings)?;
    let host = match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    };
    let signed = "host;x-amz-content-sha256;x-amz-date";
    let canonical = format!(
        "{method}\n{path}\n\nhost:{host}\nx-amz-content-sha256:{sha256}\nx-amz-date:{full}\n\n\
         {signed}\n{sha256}",
        path = url.path(),
        full = time.full,
    );
    let Bucket {
        region, access_key, ..
    } = bucket;
    let scope = format!("{}/{region}/s3/aws4_request", time.day);
    let digest = hex::encode(Sha256::digest(canonical));
    let text = format!("AWS4-HMAC-SHA256\n{}\n{scope}\n{digest}", time.full);
    let mut key = format!("AWS4{}", bucket.secret_key).into_bytes();
    for part in [time.day.as_str(), region, "s3", "aws4_request"] {
        key = mac(&key, part.as_bytes());
    }
    let signature = hex::encode(mac(&key, text.as_bytes()));
    Ok(format!(
        "AWS4-HMAC-SHA256 Credential={access_key}/{scope}, SignedHeaders={signed}, \
         Signature={signature}"
    ))
}

fn mac(key: &[u8], text: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("an HMAC takes keys of every length");
    mac.update(text);
    mac.finalize().into_bytes().to_vec()
}

/// A time as signatures have it.
struct Time {
    /// `20260101`
    day: String,
    /// `20260101T000000Z`
    full: String,
}

impl Time {
    fn of(now_ms: i64) -> Self {
        let seconds = now_ms.div_euclid(1_000);
        let (days, of_day) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
        let (year, month, day) = date(days);
        let day = format!("{year:04}{month:02}{day:02}");
        let (hour, minute, second) = (of_day / 3_600, of_day / 60 % 60, of_day % 60);
        let full = format!("{day}T{hour:02}{minute:02}{second:02}Z");
        Self { day, full }
    }
}

/// The date of a day since 1970, by counting in years that begin in March.
fn date(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let (era, of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_signatures_have_them() {
        for (now_ms, full) in [
            (0, "19700101T000000Z"),
            (951_782_400_000, "20000229T000000Z"),
            (1_369_353_600_000, "20130524T000000Z"),
            (1_767_225_599_999, "20251231T235959Z"),
        ] {
            assert_eq!(Time::of(now_ms).full, full);
        }
    }

    /// The example that the protocol's description gives, without its range.
    #[test]
    fn a_request_is_signed_as_others_would() {
        let bucket = Bucket {
            endpoint: "https://s3.amazonaws.com/".parse().unwrap(),
            region: "us-east-1".into(),
            name: "examplebucket".into(),
            is_path_style: false,
            access_key: "AKIAIOSFODNN7EXAMPLE".into(),
            secret_key: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".into(),
        };
        let url = bucket.url("test.txt").unwrap();
        let time = Time::of(1_369_353_600_000);
        let sha256 = super::super::EMPTY_SHA256;
        let signed = authorization("GET", &url, &bucket, sha256, &time).unwrap();
        assert!(signed.starts_with(
            "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, \
             SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature="
        ));
        assert_eq!(signed.len() - signed.rfind('=').unwrap(), 65);
        let mut other = bucket.clone();
        other.secret_key.push('x');
        let unlike = authorization("GET", &url, &other, sha256, &time).unwrap();
        assert_ne!(signed, unlike);
    }
}
