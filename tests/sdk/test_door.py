import hub
import hub.testing


def test_the_door_s_names_are_these_and_no_others():
    assert hub.__all__ == [
        "KINDS",
        "Action",
        "BadSignatureError",
        "Band",
        "ConfigError",
        "CredentialsError",
        "Delivery",
        "Driver",
        "Event",
        "Expert",
        "Health",
        "HubError",
        "MalformedError",
        "Ok",
        "Outcome",
        "Pending",
        "Ping",
        "RateLimitedError",
        "Raw",
        "Reject",
        "RejectedError",
        "Retry",
        "RetryLaterError",
        "Sandbox",
        "Scalar",
        "Secrets",
        "Sink",
        "Source",
        "VendorSettings",
        "Webhook",
        "cut_json",
        "feature_rows",
        "hookimpl",
        "sandbox_page",
    ]


def test_every_name_of_the_doors_is_there():
    for door in (hub, hub.testing):
        assert all(hasattr(door, name) for name in door.__all__)
        assert sorted(door.__all__, key=str.casefold) == sorted(set(door.__all__), key=str.casefold)
