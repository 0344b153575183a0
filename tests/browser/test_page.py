"""The page in a real browser: it opens, finds, chooses and shows merges, and asks for nothing."""

import json
import os
import re
import shlex
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from builder import ALICE, BOB
from command_line import CASES, Write, entries, header, public_room, run
from homeservers import room_named, unpacked_sqlite
from hostile_rooms import harms, hostile_room

from browser.conftest import Open
from roomver.explain import merge_steps, page_words

RESET = str(CASES / "m_16629_reset.jsonl")


def rows(page: Any) -> list[str]:
    """Return the words of the rows in the document, from the top."""
    found: list[str] = page.evaluate(
        "[...document.querySelectorAll('.row')].sort((a, b) => a.ariaPosInSet - b.ariaPosInSet)"
        ".map((row) => row.querySelector('.what').textContent)"
    )
    return found


# Opening


def test_it_opens_and_says_what_the_room_is(open_room: Open) -> None:
    page = open_room(RESET).page
    assert page.title() == page.inner_text("h1") == "!room:one.example"
    assert (
        page.inner_text("#verdict")
        == "20 events: all accepted. State resolution undid 12 changes (state resets): 12 unintended."
    )
    assert "v10" in page.inner_text("#room")
    assert len(rows(page)) == 20
    assert rows(page)[0] == 'message "merge"'
    assert rows(page)[-1] == "creation of the room"


def test_it_opens_at_the_event_of_its_address(open_room: Open) -> None:
    opened = open_room(RESET, wanted="#%24_c-dBCPk")
    assert opened.chosen() == "@ann:one.example's creation of the room"
    opened.page.evaluate("location.hash = '#current'")
    opened.page.wait_for_function("() => document.querySelector('#right h2').textContent.includes('forward')")
    opened.page.evaluate("location.hash = '#%24nothing'")  # as it was
    assert opened.chosen() == "The forward extremities"


# Choosing


def test_an_event_shows_its_checks_with_levels_and_where_they_come_from(open_room: Open) -> None:
    opened = open_room(RESET)
    page = opened.page
    page.click(".row:has-text('join rule \"invite\"')")
    page.wait_for_selector("#right h2:has-text('join rule')")
    checks = page.locator(".check")
    assert checks.count() == 3
    first = checks.nth(0).inner_text()
    assert first.startswith("Against its auth events allowed")
    assert "v10 rule" in first
    assert re.search(
        r"sender's level\s+50\s+@mod:two.example: users in @ann:one.example's power levels", first
    )
    rule = checks.nth(0).locator("a[target=_blank]").first
    assert rule.get_attribute("href").startswith("https://spec.matrix.org/")
    assert rule.get_attribute("rel") == "noreferrer noopener"
    checks.nth(0).locator("td a[data-event]").last.click()
    page.wait_for_selector("#right h2:has-text('power levels')")
    assert page.locator(".row[aria-selected=true] .what").inner_text() == "power levels"


def test_back_comes_back(open_room: Open) -> None:
    opened = open_room(RESET)
    page = opened.page
    page.locator("#right dd a[data-event]").first.click()
    page.wait_for_selector("#right h2:has-text('join')")
    page.go_back()
    page.wait_for_selector("#right h2:has-text('merge')")
    page.go_forward()
    page.wait_for_selector("#right h2:has-text('join')")


def test_two_ids_that_look_alike_are_two_events(open_room: Open, write: Write) -> None:
    built = public_room("1")
    for number, text in enumerate(("\u202e", "\\u202e")):
        built.add("m.room.message", ALICE, {"body": f"{number}"}, event_id=f"${text}:a.example")
    page = open_room(write("room.jsonl", [header("1"), *entries(built)])).page
    page.locator("dt:has-text('Follows') + dd a").click()
    page.wait_for_selector("#right h2:has-text('message \"0\"')")
    page.locator("dt:has-text('Followed by') + dd a").click()
    page.wait_for_selector("#right h2:has-text('message \"1\"')")


def test_an_event_shows_the_change_it_makes_and_the_state_before(open_room: Open) -> None:
    page = open_room(RESET).page
    page.click(".row:has-text('join rule \"invite\"')")
    page.wait_for_selector("#right h2:has-text('join rule')")
    change = page.locator("h3:has-text('The change it makes') + div").inner_text()
    assert "m.room.join_rules" in change
    assert 'join rule "public"' in change
    assert 'join rule "invite"' in change
    assert "It is in the current state." in page.inner_text("#right")
    page.click("summary:has-text('The state before it')")
    state = page.locator("details.section").first
    state.locator("table").wait_for()
    assert "5 entries" in state.inner_text()
    state.locator("input").fill("power")
    assert "1 entry" in state.inner_text()


def test_the_raw_pdu_is_that_of_the_event(open_room: Open) -> None:
    page = open_room(RESET).page
    event_id = page.locator("dd .mono").first.inner_text()
    page.click("summary:has-text('Raw PDU')")
    page.wait_for_selector("pre")
    shown = json.loads(page.locator("details pre").inner_text())
    lines = [json.loads(line) for line in Path(RESET).read_text("utf-8").splitlines()]
    assert shown in [line.get("pdu", line) for line in lines]
    assert shown["content"]["body"] == "merge"
    text = page.locator("details pre").inner_text()
    assert text.startswith('{\n  "auth_events": [\n    "$')
    assert text.endswith('"type": "m.room.message"\n}')
    assert event_id.startswith("$fYNbD3w5")
    page.locator("details pre a").first.click()
    page.wait_for_selector("#right h2:not(:has-text('merge'))")


def test_a_raw_pdu_keeps_large_numbers_and_odd_texts(open_room: Open, write: Write) -> None:
    built = public_room("1")
    content = {"n": 2**60 + 1, "text": 'a"{}[],:\\', "empty": [{}, []], "deep": [[[1]]]}
    built.add("m.room.message", ALICE, {**content, "body": "odd"})
    page = open_room(write("room.jsonl", [header("1"), *entries(built)])).page
    page.click("summary:has-text('Raw PDU')")
    text = page.locator("details pre").inner_text()
    assert json.loads(text)["content"] == {**content, "body": "odd"}
    assert '"n": 1152921504606846977' in text
    assert "{},\n" in text


def test_a_room_with_refused_events_says_why(open_room: Open, tmp_path: Path) -> None:
    opened = open_room(str(unpacked_sqlite(tmp_path)), room_named("local-v10"))
    page = opened.page
    page.select_option("#status", label="rejected (4)")
    page.wait_for_selector("#told:has-text('4 events of 40')")
    page.click(".row:has-text('No level')")
    page.wait_for_selector(".finding")
    assert "the sender does not have the required power level" in page.inner_text(".finding")
    assert "A server must reject the event." in page.inner_text(".finding")
    assert page.locator(".tag.refused").count() >= 1
    why = page.inner_text("p.why")
    assert "was rejected" in why
    assert "needs level 50" in why
    assert page.locator("p.why a[data-event]").count() >= 1


# Merges


def test_a_reset_is_shown_with_its_merge_and_both_sides(open_room: Open) -> None:
    opened = open_room(RESET)
    page = opened.page
    assert page.get_attribute("#tab-resets", "aria-selected") == "true"
    assert page.locator("#panel tbody tr").count() == 12
    assert page.locator("#panel tbody tr").first.inner_text().count("unintended") == 1
    assert opened.chosen() == '@ann:one.example\'s message "merge"'
    text = page.inner_text("#right")
    assert "Merge: the resolution step by step" in text
    assert "State A, 17 entries" in text
    assert "State B, 5 entries" in text
    assert page.locator("#right tr:has(.tag.reset)").count() == 12
    page.locator("#panel tbody tr a").first.click()
    page.wait_for_selector(".finding.reset")
    assert "State resolution undid this event" in page.inner_text(".finding.reset")


def test_the_switch_shows_the_resolution_by_each_algorithm(open_room: Open) -> None:
    page = open_room(RESET).page
    labels = page.locator(".switch label")
    assert labels.all_inner_texts() == ["v1", "v2 (this room's)", "v2.1"]
    assert page.is_checked(".switch input[value=v2]")
    results = {}
    for name in ("v1", "v2", "v2.1"):
        labels.filter(has=page.locator(f"input[value='{name}']")).click()
        page.wait_for_timeout(50)
        table = page.locator("h4:has-text('Where the states differ') + div tbody tr")
        assert table.count() == 13
        results[name] = table.nth(1).locator("td").last.inner_text()
        headings = page.locator("#right h4").all_inner_texts()
        assert ("The mainline" in " ".join(headings)) == (name != "v1")
        assert ("overlay" in " ".join(headings)) == (name != "v1")
        assert page.locator("tr:has(.tag.allowed), tr:has(.tag.refused)").count() > 0
    assert results["v1"].startswith("@m00:x0.example's join")
    assert results["v2"].startswith("no event")
    assert results["v2.1"].startswith("no event")
    # The keyboard moves the switch as well.
    page.focus(".switch input[value='v2.1']")
    page.keyboard.press("ArrowLeft")
    assert page.is_checked(".switch input[value=v2]")


def test_a_merge_of_the_forward_extremities_is_shown(open_room: Open, write: Write) -> None:
    built = public_room()
    fork = built.last
    for name in ("one", "two"):
        built.add("m.room.topic", ALICE, {"topic": name}, state_key="", prev=[fork] if fork else [])
    opened = open_room(write("room.jsonl", [header(), *entries(built)]), wanted="#current")
    text = opened.page.inner_text("#right")
    assert opened.chosen() == "The forward extremities"
    assert "1. Where the states differ: 1 entry" in text
    assert "The current state" in text


# Finding


def test_search_and_filters_and_their_end(open_room: Open) -> None:
    page = open_room(RESET).page
    page.fill("#search", "join rule")
    page.wait_for_selector("#told:has-text('2 events of 20')")
    assert rows(page) == ['join rule "invite"', 'join rule "public"']
    page.fill("#search", "$nnlCc-Fi")
    page.wait_for_selector("#told:has-text('1 event of 20')")
    page.keyboard.press("Enter")
    page.wait_for_selector("#right h2:has-text('join rule \"invite\"')")
    page.fill("#search", "")
    page.select_option("#type", label="m.room.member (14)")
    page.wait_for_selector("#told:has-text('14 events of 20')")
    page.fill("#sender", "@m0")
    page.wait_for_selector("#told:has-text('10 events of 20')")
    page.select_option("#server", label="x0.example (4)")
    page.wait_for_selector("#told:has-text('4 events of 20')")
    page.click("#clear")
    page.wait_for_selector("#told:has-text('20 events, newest first')")
    assert page.is_hidden("#clear")
    page.select_option("#status", value="reset")
    page.wait_for_selector("#told:has-text('13 events of 20')")


def test_search_in_raw_pdus_finds_what_no_row_shows(open_room: Open, write: Write) -> None:
    built = public_room()
    built.add("m.room.message", BOB, {"body": "x" * 60 + " Needle"})
    page = open_room(write("room.jsonl", [header(), *entries(built)])).page
    page.fill("#search", "needle")
    page.wait_for_selector("#told:has-text('0 events')")
    page.check("#raw")
    page.wait_for_selector("#told:has-text('1 event of')")


def test_an_address_of_a_hidden_event_ends_the_filters(open_room: Open) -> None:
    opened = open_room(RESET)
    opened.page.select_option("#type", label="m.room.member (14)")
    opened.page.wait_for_selector("#told:has-text('14 events of 20')")
    opened.page.evaluate("location.hash = '#%24_c-dBCPk'")
    opened.page.wait_for_selector("#right h2:has-text('creation')")
    opened.page.wait_for_selector("#told:has-text('20 events, newest first')")


def test_a_click_can_be_undone_with_back(open_room: Open) -> None:
    page = open_room(RESET).page
    page.click(".row:has-text('join rule \"invite\"')")
    page.wait_for_selector("#right h2:has-text('join rule')")
    page.go_back()
    page.wait_for_selector("#right h2:has-text('merge')")
    page.go_forward()
    page.wait_for_selector("#right h2:has-text('join rule')")
    assert page.locator(".row[aria-selected=true] .what").inner_text() == 'join rule "invite"'


def test_an_address_of_no_event_says_so(open_room: Open) -> None:
    opened = open_room(RESET, wanted="#%24nothing")
    page = opened.page
    assert "$nothing" in page.inner_text("#note")
    assert opened.chosen().endswith('message "merge"')
    page.click(".row:has-text('join rule \"invite\"')")
    assert page.is_hidden("#note")


def test_an_event_id_is_copied_whole(open_room: Open) -> None:
    page = open_room(RESET).page
    event_id = page.locator("dd .mono").first.inner_text()
    page.click("button[aria-label='copy the event ID']")
    page.wait_for_selector("#said:has-text('copied')", state="attached")
    page.focus("#search")
    page.keyboard.press("ControlOrMeta+V")
    assert page.input_value("#search") == event_id


def test_times_senders_and_actions_are_in_columns_and_times_are_whole(open_room: Open) -> None:
    for width in (1200, 500):
        page = open_room(RESET, viewport={"width": width, "height": 860}).page
        cut = page.locator(".row time").evaluate_all(
            "(all) => all.filter((one) => one.scrollWidth > one.clientWidth).length"
        )
        assert cut == 0
        places = page.locator(".row .what").evaluate_all(
            "(all) => all.map((one) => one.getBoundingClientRect().left)"
        )
        assert len({*places}) == 1


# Merges without steps


def test_a_merge_without_steps_says_so_and_why_and_names_the_command(
    open_room: Open, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(merge_steps, "MOST_MERGES", 1)
    room = public_room("11")
    merges = []
    for name in ("first", "second"):
        fork = room.last
        assert fork is not None
        contents = [{"topic": f"{name} {one}"} for one in "ab"]
        ends = [room.add("m.room.topic", ALICE, one, state_key="", prev=[fork]) for one in contents]
        room.state["m.room.topic", ""] = ends[-1]
        merges.append(room.add("m.room.message", ALICE, {"body": name}, prev=ends))
    opened = open_room(write("room.jsonl", [header("11"), *entries(room)]), wanted=f"#{merges[0].event_id}")
    page = opened.page
    assert "first" in opened.chosen()
    text = page.inner_text("#right")
    assert "The steps of this merge are not in the page." in text
    assert "it has the steps of 1 of 2 merges: those with resets first" in text
    call = shlex.split(page.locator("#right .command pre").inner_text())
    assert call == ["roomver", "resolve", "SOURCE", "--at", merges[0].event_id, "--trace"]
    if page.get_attribute("#tab-summary", "aria-selected") != "true":
        page.click("#tab-summary")
    assert "it has the steps of 1 of 2 merges" in page.inner_text("#panel")
    page.click(".row:has-text('second')")
    page.wait_for_selector("#right h4:has-text('Where the states differ')")


def test_an_event_that_is_not_explained_names_the_command_that_explains_it(
    open_room: Open, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_words, "MOST_STEPS", 0)
    room = public_room("11")
    for number in range(30):
        room.add("m.room.message", ALICE, {"body": f"{number}"})
    page = open_room(write("room.jsonl", [header("11"), *entries(room)])).page
    page.keyboard.press("End")
    page.wait_for_selector("#right h2:has-text('creation')")
    event_id = page.locator("dd .mono").first.inner_text()
    call = shlex.split(page.locator("#right .command pre").inner_text())
    assert call == ["roomver", "explain", "SOURCE", event_id]


def test_the_members_are_filtered(open_room: Open, write: Write) -> None:
    room = public_room("11")
    for number in range(30):
        room.join(f"@user{number}:c.example")
    page = open_room(write("room.jsonl", [header("11"), *entries(room)])).page
    page.click("#tab-members")
    page.get_by_label("Filter the members").fill("user17")
    assert page.locator("#panel tbody tr").count() == 1
    assert "1 of 32" in page.inner_text("#panel [role=status]")


# The keyboard, and who does not see the page


def test_every_control_is_reached_by_tab_and_shows_the_focus(open_room: Open) -> None:
    page = open_room(RESET).page
    wanted = page.evaluate(
        """() => {
        let number = 0;
        for (const one of document.querySelectorAll('a[href], button, input, select, summary, [tabindex]')) {
          const group = one.type === 'radio' && !one.checked;
          if (one.checkVisibility() && one.tabIndex >= 0 && !group) one.dataset.stop = number++;
        }
        document.activeElement.blur();
        return number;
      }"""
    )
    reached, unseen = set(), []
    for _ in range(wanted + 5):
        page.keyboard.press("Tab")
        stop, seen = page.evaluate(
            """() => {
            const one = document.activeElement;
            const shown = one.closest('.switch label') ?? one;
            const style = getComputedStyle(shown);
            const drawn = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0;
            return [one.dataset.stop ?? null, drawn];
          }"""
        )
        if stop is not None:
            reached.add(int(stop))
            if not seen:
                unseen.append(page.evaluate("document.activeElement.outerHTML.slice(0, 200)"))
    assert reached == set(range(wanted))
    assert unseen == []


def test_the_panel_is_hidden_by_its_button_and_the_focus_stays_near(open_room: Open) -> None:
    page = open_room(RESET).page
    page.focus("#hide")
    page.keyboard.press("Enter")
    assert page.is_hidden("#panel")
    assert page.is_hidden("#hide")
    assert page.evaluate("document.activeElement.id") == "tab-resets"


def test_links_are_told_from_text_without_colour(open_room: Open) -> None:
    """WCAG 2.2, 1.4.1."""
    page = open_room(RESET).page
    plain = page.evaluate(
        """[...document.querySelectorAll('p a, li a, td a')].filter((one) => one.checkVisibility() &&
        !getComputedStyle(one).textDecorationLine.includes('underline')).map((one) => one.outerHTML)"""
    )
    assert plain == []


@pytest.mark.skipif("ROOMVER_AXE" not in os.environ, reason="ROOMVER_AXE does not name axe.min.js")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(scheme: str, open_room: Open, tmp_path: Path) -> None:
    """With axe-core of npm, which is not among the dependencies: it is used in this test only."""
    source = [str(unpacked_sqlite(tmp_path)), room_named("local-v10")]
    page = open_room(*source, color_scheme=scheme, bypass_csp=True).page
    page.evaluate(Path(os.environ["ROOMVER_AXE"]).read_text("utf-8"))
    for name in ("resets", "summary", "findings", "servers", "members"):
        if page.get_attribute(f"#tab-{name}", "aria-selected") != "true":
            page.click(f"#tab-{name}")
        found = page.evaluate(
            "axe.run().then((result) => result.violations.map((one) => [one.id, one.nodes[0].html]))"
        )
        # Each link to an event of the page leads to a fragment, and axe takes it for a link that skips.
        assert [one for one in found if one[0] != "skip-link"] == []


def test_everything_is_in_a_landmark(open_room: Open) -> None:
    page = open_room(RESET).page
    assert page.get_by_role("complementary", name="About the room").count() == 1
    assert page.locator("aside #panel").count() == 1


def test_the_keyboard_does_everything(open_room: Open) -> None:
    opened = open_room(RESET)
    page = opened.page
    assert page.evaluate("document.activeElement.id") == "list"
    page.keyboard.press("ArrowDown")
    page.wait_for_selector("#right h2:has-text('join rule \"invite\"')")
    page.keyboard.press("End")
    page.wait_for_selector("#right h2:has-text('creation')")
    page.keyboard.press("ArrowLeft")  # the event that follows it
    page.wait_for_selector("#right h2:has-text('example\\'s join')")
    page.keyboard.press("ArrowRight")
    page.wait_for_selector("#right h2:has-text('creation')")
    page.keyboard.press("Home")
    page.wait_for_selector("#right h2:has-text('merge')")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "right"
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.id") == "list"
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "search"
    page.keyboard.type("join/")
    assert page.input_value("#search") == "join/"
    page.keyboard.press("Escape")
    assert page.input_value("#search") == ""
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.id") == "list"
    page.focus("#tab-resets")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.id") == "tab-findings"
    assert page.get_attribute("#tab-findings", "aria-selected") == "true"


def test_roles_and_announcements(open_room: Open) -> None:
    page = open_room(RESET).page
    assert page.get_by_role("listbox").count() == 1
    assert page.get_by_role("tab").count() == 5
    assert page.get_by_role("search").count() == 1
    option = page.locator("#list [role=option][aria-selected=true]")
    assert option.count() == 1
    assert page.get_attribute("#list", "aria-activedescendant") == option.get_attribute("id")
    assert option.get_attribute("aria-setsize") == "20"
    assert option.get_attribute("aria-posinset") == "1"
    page.keyboard.press("ArrowDown")
    page.wait_for_selector("#said:has-text('join rule')", state="attached")
    assert page.inner_text("#said").endswith("accepted, 2 of 20")
    unnamed = page.evaluate(
        """[...document.querySelectorAll('input, select, button, [tabindex]')]
        .filter((one) => one.checkVisibility() && !(one.ariaLabel || one.textContent.trim() ||
          one.labels?.length || one.getAttribute('aria-labelledby'))).map((one) => one.outerHTML)"""
    )
    assert unnamed == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_contrast(scheme: str, open_room: Open, tmp_path: Path) -> None:
    """WCAG 2.2, 1.4.3: at least 4.5 to 1."""
    source = [str(unpacked_sqlite(tmp_path)), room_named("local-v10")]
    page = open_room(*source, color_scheme=scheme).page
    low = page.evaluate(
        """() => {
        const read = (text) => text.match(/[\\d.]+/g).map(Number);
        const part = (c) => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
        const light = ([r, g, b]) => 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
        const behind = (one) => {
          for (; one; one = one.parentElement) {
            const colour = read(getComputedStyle(one).backgroundColor);
            if (colour.length === 3) return colour;
          }
          return [255, 255, 255];
        };
        return [...document.querySelectorAll('body *')].filter((one) => one.checkVisibility() &&
          [...one.childNodes].some((node) => node.nodeType === 3 && node.data.trim())).map((one) => {
          const [a, b] = [light(read(getComputedStyle(one).color)), light(behind(one))].sort((x, y) => y - x);
          return [(a + 0.05) / (b + 0.05), one.className, one.textContent.slice(0, 30)];
        }).filter((one) => one[0] < 4.5);
      }"""
    )
    assert low == []


# Other forms


def test_a_narrow_window_has_no_sideways_scroll(open_room: Open) -> None:
    page = open_room(RESET, viewport={"width": 360, "height": 740}).page
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert page.evaluate("document.getElementById('right').scrollWidth <= innerWidth")
    assert page.is_hidden("#panel")
    assert len(rows(page)) > 5


def test_print_has_the_panels_and_the_event(open_room: Open) -> None:
    page = open_room(RESET).page
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    text = page.inner_text("#print")
    for part in ("Summary", "Resets", "Findings", "Servers and keys", "Members", "Checks", "step by step"):
        assert part in text
    assert page.is_hidden("#list")
    # The chosen event comes before the long lists, with all that is known of it.
    assert text.index("Checks") < text.index("Servers and keys")
    for part in ("Against its auth events", "Sender\n@ann:one.example", "Where the states differ"):
        assert part in text
    assert page.pdf().startswith(b"%PDF")


def test_print_is_black_on_white_whatever_the_screen_is(open_room: Open) -> None:
    page = open_room(RESET, color_scheme="dark").page
    page.emulate_media(media="print", color_scheme="dark")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    colours = page.evaluate(
        """['.tag.accepted', '.cards .reset b', 'a'].map((one) =>
        getComputedStyle(document.querySelector('#print ' + one)).color.match(/\\d+/g).map(Number))"""
    )
    assert all(min(colour) < 100 for colour in colours), colours


def test_the_panels(open_room: Open, tmp_path: Path) -> None:
    page = open_room(str(unpacked_sqlite(tmp_path)), room_named("local-v10")).page
    texts = {}
    for name in ("summary", "findings", "servers", "members", "resets"):
        if page.get_attribute(f"#tab-{name}", "aria-selected") != "true":
            page.click(f"#tab-{name}")
        texts[name] = page.inner_text("#panel")
    assert "current state" in texts["summary"]
    assert "rejected" in texts["findings"]
    assert "hs.example" in texts["servers"]
    assert "@alice:hs.example" in texts["members"]
    assert "m.room.topic" in texts["resets"]
    assert "replaced since by" in texts["resets"]
    assert "Cause: @mallory:remote.example demoted @yan:remote.example from 50 to 0" in texts["resets"]
    page.click("#tab-resets")
    assert page.is_hidden("#panel")


def test_without_a_current_state_it_says_so(open_room: Open, tmp_path: Path) -> None:
    opened = open_room(str(unpacked_sqlite(tmp_path)), room_named("partial-v11"), wanted="#current")
    text = opened.page.inner_text("#right")
    assert "Uncertain" in text
    assert "Unknown: all other entries" in text


def test_where_the_browser_is_too_old_it_says_so(browser: Any, tmp_path: Path) -> None:
    target = tmp_path / "room.html"
    run("report", RESET, "-o", str(target))
    page = browser.new_page()
    page.add_init_script("delete window.DecompressionStream")
    page.goto(target.as_uri())
    page.wait_for_selector("#wait.failed")
    assert "this browser is too old" in page.inner_text("#wait")
    page.close()


# Hostile rooms


def test_a_printed_call_runs_nothing_of_an_event_id(
    open_room: Open, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(merge_steps, "MOST_MERGES", 0)
    room = public_room("1")
    first = room.last
    assert first is not None
    ends = [
        room.add("m.room.topic", ALICE, {"topic": text}, state_key="", prev=[first]) for text in ("a", "b")
    ]
    event_id = "$a'; touch harmed; '$(id)`id`\\' :a.example"
    room.add("m.room.message", ALICE, {}, prev=ends, event_id=event_id)
    page = open_room(str(write("room.jsonl", [header("1"), *entries(room)]))).page
    call = page.inner_text("#right pre")
    assert shlex.split(call) == ["roomver", "resolve", "SOURCE", "--at", event_id, "--trace"]


def test_any_number_of_types_and_ends_is_shown_in_part(open_room: Open, write: Write) -> None:
    room = public_room("11")
    first = room.last
    assert first is not None
    for number in range(1100):
        room.add(f"x.{number}", ALICE, {}, prev=[first])
    page = open_room(str(write("room.jsonl", [header("11"), *entries(room)]))).page
    options = page.locator("#type option").all_inner_texts()
    assert len(options) == 1002
    assert options[-1].startswith("and 1")
    page.evaluate("location.hash = '#current'")
    page.wait_for_selector("#right button:has-text('Show more: 1,000 left')")
    assert page.locator("#right > div > ul.plain > li").count() == 100


def check_layout(page: Any) -> None:
    """Check that nothing is wider than its place, and that no event pushes anything out of sight."""
    wide = page.evaluate(
        """[...document.querySelectorAll('html, body, #panel, #right, .wide, .row, h1, h2, p, dd, li')]
        .filter((one) => one.checkVisibility() && getComputedStyle(one).display !== 'inline' &&
          one.scrollWidth > one.clientWidth + 1)
        .map((one) => [one.scrollWidth, one.clientWidth, one.outerHTML.slice(0, 200)])"""
    )
    assert wide == []
    left, right = (page.locator(one).bounding_box() for one in ("#left", "#right"))
    assert left["x"] + left["width"] <= right["x"] + 1
    assert min(left["height"], right["height"]) > 150


HOSTILE = (
    "</script><script>window.harmed = 1</script>",
    "<!-- --> <!doctype>",
    "one\u2028two\u2029three",
    "\ud800\udfff\ud83d",
    "a" + "\u0301\u0489" * 10_000,
    "\u202e\u2066\u2067\u2068 \u200f\u061c reversed",
    "W" * 400,
)


@pytest.mark.parametrize("where", ["sender", "state_key", "type", "content", "event_id", "prev_events"])
def test_hostile_texts_in_any_place_break_no_layout(where: str, open_room: Open, write: Write) -> None:
    room = public_room("1")
    lines = [header("1"), *entries(room)]
    last = lines[-1]
    for number, text in enumerate(HOSTILE):
        short = text[:60] if where in ("sender", "event_id") else text[:120]
        pdu = {
            **last["pdu"],
            "type": "m.room.topic",
            "state_key": "",
            "content": {"topic": f"{number}"},
            "depth": 100 + number,
            "prev_events": [[last["event_id"], {}]],
        }
        event_id = f"$plain{number}:a.example"
        if where == "sender":
            pdu["sender"] = f"@{short}:b.example"
        elif where == "content":
            pdu["content"] = {"topic": text, text: text}
        elif where == "event_id":
            event_id = f"${short}:a.example"
        elif where == "prev_events":
            pdu["prev_events"] = [[last["event_id"], {}], [f"${short}:gone.example", {}]]
        else:
            pdu[where] = short
        lines.append({"event_id": event_id, "pdu": pdu})
    opened = open_room(write("room.jsonl", lines))
    page = opened.page
    for name in ("summary", "findings", "servers", "members", "resets"):
        if page.get_attribute(f"#tab-{name}", "aria-selected") != "true":
            page.click(f"#tab-{name}")
        check_layout(page)
    page.focus("#list")
    page.keyboard.press("Home")
    for _ in range(len(HOSTILE)):
        check_layout(page)
        page.evaluate("for (const one of document.querySelectorAll('#right details')) one.open = true")
        page.wait_for_selector("#right details pre")
        check_layout(page)
        page.focus("#list")
        page.keyboard.press("ArrowDown")
    shown = page.evaluate("document.body.innerText")
    assert harms(re.sub("[\u2066\u2069\t]", "", shown)) is None


def test_text_from_right_to_left_moves_nothing_around_it(open_room: Open, write: Write) -> None:
    name = "\u05e9\u05dc\u05d5\u05dd"
    room = public_room("11")
    room.join(f"@{name}:b.example")
    room.add("m.room.topic", ALICE, {"topic": f"{name} (1)"}, state_key="")
    last = room.add("m.room.message", ALICE, {"body": "x"})
    opened = open_room(write("room.jsonl", [header("11"), *entries(room)]))
    page = opened.page
    page.click(".row:has-text('topic')")
    page.wait_for_selector("#right h2:has-text('topic')")
    # The sender is to the left of what it did, and the ID and the time to the right of both.
    places = page.evaluate(
        """(wanted) => {
        const place = (element, text) => {
          const walk = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
          for (let node; (node = walk.nextNode());) {
            const at = node.data.indexOf(text);
            if (at < 0) continue;
            const range = document.createRange();
            range.setStart(node, at);
            range.setEnd(node, at + text.length);
            const box = range.getBoundingClientRect();
            return [box.left, box.right];
          }
        };
        const links = [...document.querySelectorAll('#right dd a')];
        const link = links.find((one) => one.textContent.includes(wanted));
        link.style.whiteSpace = 'nowrap';
        return [wanted, ":b.example", "'s join", "($", ", 20"].map((text) => place(link, text));
      }""",
        name,
    )
    assert places == sorted(places)
    assert all(one[1] <= other[0] + 1 for one, other in pairwise(places))
    assert last.event_id


@pytest.mark.parametrize("version", ["1", "11"])
def test_a_hostile_room_executes_nothing_and_hides_nothing(
    version: str, open_room: Open, write: Write
) -> None:
    opened = open_room(write("room.jsonl", [header(version), *entries(hostile_room(version))]))
    page = opened.page
    elements = {*page.evaluate("[...document.querySelectorAll('body *')].map((one) => one.tagName)")}
    forbidden = {"IMG", "SVG", "IFRAME", "STYLE", "OBJECT"}
    assert not elements & forbidden
    for name in ("summary", "findings", "servers", "members"):
        if page.get_attribute(f"#tab-{name}", "aria-selected") != "true":
            page.click(f"#tab-{name}")
        assert page.locator("#panel").inner_text()
    total = page.evaluate("document.querySelectorAll('.row').length")
    assert total > 20
    page.focus("#list")
    for _ in range(100):
        page.keyboard.press("ArrowDown")
        assert page.locator("#right h2").bounding_box()["height"] < 200
    rows_drawn = page.locator(".row")
    heights = rows_drawn.evaluate_all("(all) => all.map((one) => one.getBoundingClientRect().height)")
    assert {*heights} == {28}
    page.click("summary:has-text('Raw PDU')")
    page.wait_for_selector("details pre")
    check_layout(page)
    page.fill("#search", "<img")
    page.wait_for_selector("#clear:not([hidden])")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    links = page.evaluate("[...document.querySelectorAll('a')].map((one) => one.getAttribute('href'))")
    assert [one for one in links if not one.startswith(("#", "https://spec.matrix.org/"))] == []
    elements = {*page.evaluate("[...document.querySelectorAll('body *')].map((one) => one.tagName)")}
    assert not elements & forbidden
