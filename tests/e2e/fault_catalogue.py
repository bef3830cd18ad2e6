"""Faults of the service by name, as rules for the simulator (`POST /control/faults`).

The catalogue follows the numbered behaviours that are known of Graph; the table in
tests/graph-simulator/README.md says which fault shows which of them. `fault()` makes a rule for any
route, mailbox, message and call; `random_fault()` draws one, from a seeded generator.
"""

import email.utils
import json
import time


def status(code, error=None, message="", retry_after=None, **action):
    action["status"] = code
    if error is not None:
        action["code"] = error
        action["message"] = message
    if retry_after is not None:
        action["headers"] = {"Retry-After": str(retry_after)}
    return action


def http_date(seconds):
    return email.utils.formatdate(time.time() + seconds, usegmt=True)


# Name -> the action of a rule. What depends on the time is made when it is asked for.
CATALOGUE = {
    # 27: throttling, with every form of Retry-After
    "throttled": lambda: status(429, "ApplicationThrottled", retry_after=1),
    "throttled_fraction": lambda: status(429, "ApplicationThrottled", retry_after="0.5"),
    "throttled_date": lambda: status(429, "ApplicationThrottled", retry_after=http_date(1)),
    "throttled_negative": lambda: status(429, "ApplicationThrottled", retry_after="-5"),
    "throttled_zero": lambda: status(429, "ApplicationThrottled", retry_after="0"),
    "throttled_nonsense": lambda: status(429, "ApplicationThrottled", retry_after="soon"),
    "throttled_silently": lambda: status(429, "ErrorTooManyObjectsOpened"),
    # 29: outages
    "unavailable": lambda: status(503, "ServiceUnavailable", retry_after=1),
    "gateway_timeout": lambda: status(504, empty_body=True),
    "bad_gateway_page": lambda: status(502, html=True),
    "internal_error": lambda: status(500, "ErrorInternalServerError", "Cannot open the store."),
    "empty_503": lambda: status(503, empty_body=True),
    "unknown_error": lambda: status(500, "UnknownError"),
    "mailbox_info_stale": lambda: status(503, "ErrorMailboxInfoStale"),
    "html_instead": lambda: status(200, html=True),
    # 30: a front end that lost the mailbox for a moment
    "empty_404": lambda: status(404, empty_body=True),
    # 2: a token refused
    "unauthorized": lambda: status(401, "InvalidAuthenticationToken"),
    # 32, 37: connections
    "no_answer": lambda: {"no_response": True},
    "reset_before_answer": lambda: {"no_response": True, "reset_after_bytes": 0},
    "reset_after_head": lambda: {"reset_after_bytes": 0},
    "reset": lambda: {"reset_after_bytes": 300},
    "cut": lambda: {"close_after_bytes": 300},
    "cut_between_chunks": lambda: {"close_after_bytes": 16384},
    "short_body": lambda: {"short_content_length": 5},
    "connection_closed": lambda: {"close_connection": True},
    "closed_silently": lambda: {"close_silently": True},
    "slow": lambda: {"delay_ms": 300},
    "slow_head": lambda: {"pause_in_head_ms": 300},
    "gzip": lambda: {"gzip": True},
    "empty_200": lambda: {"body": ""},
    "error_after_200": lambda: {"content_type": "application/json", "body": json.dumps(
        {"error": {"code": "ErrorInternalServerError", "message": "The store is unavailable."}})},
    "stall": lambda: {"stall_after_bytes": 100},
    "hang": lambda: {"hang": True},
    # 38: what is no JSON
    "json_cut": lambda: {"truncate_body": 60},
    "json_without_values": lambda: {"body": '{"value":null}'},
    "byte_order_mark": lambda: {"replace": ["{", "\ufeff{"]},
    "control_characters": lambda: {"replace": ['"id":"', '"x":"a\u0001\nb","id":"']},
    "unknown_members": lambda: {"replace": ['"value":', '"x":[{"value":[]}],"value":']},
    "huge_numbers": lambda: {"replace": ['"value":', '"x":123456789012345678901234567890,"value":']},
    # 14 to 18: pages
    "no_link": lambda: {"drop_links": True},
    "both_links": lambda: {"both_links": True},
    "circle": lambda: {"loop": "same"},
    "endless": lambda: {"loop": "changing"},
    "link_without_user": lambda: {"next_link": "{graph}/v1.0/users//mailFolders/inbox/messages/delta"},
    "link_relative": lambda: {"next_link": "/v1.0/users?$top=1"},
    "link_elsewhere": lambda: {"next_link": "http://127.0.0.1:9/v1.0/users"},
    "duplicates": lambda: {"duplicate_items": True},
    "backwards": lambda: {"reverse_items": True},
    "removed_unknown": lambda: {"first_items": [
        {"id": "AAkALgAAAAAAHYQDEapmEc2byACqAC-EWg0AUNKNOWN", "@removed": {"reason": "changed"}}]},
    # 22, 23: change tokens
    "token_lost": lambda: status(410, "SyncStateNotFound", "The sync state is not found"),
    "token_invalid": lambda: status(410, "SyncStateInvalid"),
    "resync_required": lambda: status(410, "resyncRequired", inner_code="ResyncRequired"),
    "token_lost_inside": lambda: status(410, "UnknownError", inner_code="syncstatenotfound"),
    "token_lost_400": lambda: status(400, "SyncStateNotFound"),
    "token_lost_404": lambda: status(404, "SyncStateNotFound"),
    # 32: a message that can't be had
    "not_convertible": lambda: status(500, "ErrorMimeContentConversionFailed"),
    "refused_form": lambda: status(405, "ErrorInvalidRequest",
                                   "The OData request is not supported."),
    # 43
    "throttled_by_a_clock_ahead": lambda: status(
        429, "ApplicationThrottled", headers={"Date": http_date(3600),
                                              "Retry-After": http_date(3601)}),
    "clock_ahead": lambda: {"headers": {"Date": http_date(3600)}},
}

# Where a fault makes sense when it is drawn.
ALL = ("any", "token", "users", "folders", "delta", "value")
LISTINGS = ("users", "folders", "delta")
ROUTES = {
    **dict.fromkeys(("html_instead", "json_cut", "json_without_values", "byte_order_mark",
                     "control_characters", "unknown_members", "huge_numbers"), LISTINGS),
    **dict.fromkeys(("no_link", "both_links", "circle", "link_without_user", "link_relative",
                     "link_elsewhere", "duplicates", "backwards"), ("folders", "delta")),
    **dict.fromkeys(("removed_unknown", "endless", "token_lost", "token_invalid",
                     "resync_required", "token_lost_inside", "token_lost_400", "token_lost_404"),
                    ("delta",)),
    **dict.fromkeys(("not_convertible", "refused_form", "empty_200", "error_after_200"),
                    ("value",)),
}
# These last until the client loses its patience: once in a round is enough.
PATIENCE = ("stall", "hang", "endless")


def fault(name, route="any", times=0, action=None, **match):
    """A rule; `action` changes the named action, `match` is user, message, nth, every, ..."""
    rule = {"match": {"route": route, **match}, "action": {**CATALOGUE[name](), **(action or {})}}
    if rule["match"].get("probability") is not None:
        rule["match"].setdefault("seed", 1)
    if times:
        rule["times"] = times
    return rule


def random_fault(rng, users):
    name = rng.choice(sorted(CATALOGUE))
    route = rng.choice(ROUTES.get(name, ALL))
    match = {}
    if rng.random() < 0.4 and route not in ("token", "users"):
        match["user"] = rng.choice(users)["id"]
    how = rng.choice(("nth", "every", "probability"))
    match[how] = {"nth": rng.randrange(1, 20), "every": rng.randrange(2, 15),
                  "probability": round(rng.uniform(0.02, 0.3), 3)}[how]
    if how == "probability":
        match["seed"] = rng.randrange(10**6)
    action = {}
    for cut in ("reset_after_bytes", "close_after_bytes", "stall_after_bytes", "truncate_body"):
        if cut in CATALOGUE[name]() and name not in ("reset_after_head", "reset_before_answer"):
            action[cut] = rng.choice((0, 1, 50, 300, 2000, 16384, 20000))
    times = 1 if name in PATIENCE else rng.choice((1, 3, 10, 0))
    return fault(name, route, times, action, **match)
