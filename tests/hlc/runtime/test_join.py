"""A listener's modem follows the keys that are heard; and all of it over a simulated line."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from passing import PassingLoop, wire

import slac
from hlc.runtime import join
from hlc.runtime.errors import SetupError
from hlc.runtime.join import Joiner, Key, key_in
from hlc.runtime.powerline import Bridge
from slac.keys import nid_from_nmk
from slac.link import LinkError
from slac.powerline import Powerline

CAR, OUTLET, OURS = b"\x02car00", b"\x02out00", b"\x02list0"
NMK, OTHER = bytes(range(16)), bytes(range(16, 32))


def confirmation(nmk: bytes = NMK, to: bytes = CAR) -> slac.Mme:
    """What a station says to its vehicle."""
    frame = slac.make("CM_SLAC_MATCH.CNF", destination=to, source=OUTLET, nid=nid_from_nmk(nmk), nmk=nmk)
    return slac.parse(frame)


def set_key(**fields: Any) -> slac.Mme:
    frame = slac.make(
        "CM_SET_KEY.REQ", destination=b"\xff" * 6, source=CAR, nid=nid_from_nmk(NMK), new_key=NMK, **fields
    )
    return slac.parse(frame)


@pytest.mark.parametrize(
    ("mme", "expected"),
    [
        (confirmation(), Key(nid_from_nmk(NMK), NMK, "CM_SLAC_MATCH.CNF of 02:6f:75:74:30:30 to 02:63:61:72:30:30")),
        (set_key(), Key(nid_from_nmk(NMK), NMK, "CM_SET_KEY.REQ of 02:63:61:72:30:30 to ff:ff:ff:ff:ff:ff")),
        (set_key(key_type=0), None),
        (set_key(new_eks=3), None),
        (slac.parse(slac.make("CM_SLAC_PARM.REQ", destination=b"\xff" * 6, source=CAR)), None),
    ],
)
def test_which_messages_disclose_a_key(mme: slac.Mme, expected: Key | None) -> None:
    assert key_in(mme) == expected


class Scene:
    """An outlet, and a listener whose modem is plugged in beside it."""

    def __init__(self, *, family: str = "qca7000") -> None:
        self.line = Powerline()
        self.outlet = self.line.modem("evse", nmk=NMK)
        self.modem = self.line.modem("ev", family=family, listens=True)
        self.line.attenuation(self.outlet, self.modem, 12.0)
        self.end, modem_end = wire(OURS)
        self.told: list[str] = []
        self.joiner = Joiner(self.end, self.told.append)
        self.bridge = Bridge(self.line, {self.modem: modem_end})

    def change(self, what: Callable[[float], None]) -> None:
        """Let something happen on the line."""
        what(asyncio.get_running_loop().time())
        self.bridge._move()

    async def until(self, words: str) -> None:
        async with asyncio.timeout(60):
            while not any(words in line for line in self.told):  # noqa: ASYNC110
                await asyncio.sleep(0.1)

    def play(self, act: Callable[[], Coroutine[Any, Any, None]]) -> list[str]:
        """Run the joiner and the line while something is done; what was told."""

        async def run() -> None:
            tasks = [asyncio.create_task(self.bridge.run()), asyncio.create_task(self.joiner.run())]
            try:
                await act()
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

        with asyncio.Runner(loop_factory=PassingLoop) as runner:
            runner.run(run())
        return [line.removeprefix("join: ") for line in self.told]


def test_the_modem_joins_the_network_of_the_key_that_is_heard() -> None:
    scene = Scene()

    async def act() -> None:
        await scene.until("the modem is")
        scene.joiner.hears(confirmation())
        await scene.until("the link is up")

    told = scene.play(act)
    assert scene.modem.nmk == NMK
    assert told[0].startswith("the modem is Qualcomm 00:b0:52:12:00:02, MAC-QCA7000-")
    assert told[1] == (
        "heard CM_SLAC_MATCH.CNF of 02:6f:75:74:30:30 to 02:63:61:72:30:30: "
        f"NID {nid_from_nmk(NMK).hex().upper()}, NMK {NMK.hex().upper()}"
    )
    assert told[2] == "the modem has the key (read back from it)"
    assert told[3].startswith("the link is up after ")
    assert told[3].endswith("coordinator 00:b0:52:12:00:01, other stations: none that it tells")


def test_it_follows_the_next_key_and_no_key_twice() -> None:
    scene = Scene()

    async def act() -> None:
        await scene.until("the modem is")
        scene.joiner.hears(confirmation())
        await scene.until("the link is up")
        for _ in range(5):
            scene.joiner.hears(confirmation())  # repeated: the vehicle asked again
        await asyncio.sleep(30.0)
        assert sum("join: heard" in line for line in scene.told) == 1
        scene.change(lambda now: scene.outlet.rekey(OTHER, None, now))
        await scene.until("the link is gone")
        scene.joiner.hears(confirmation(OTHER))
        await scene.until(OTHER.hex().upper())
        scene.told.clear()
        await scene.until("the link is up")

    scene.play(act)
    assert scene.modem.nmk == OTHER


def test_of_keys_that_come_while_one_is_set_the_latest_counts() -> None:
    scene = Scene()

    async def act() -> None:
        await scene.until("the modem is")
        for nmk in (OTHER, bytes(16), NMK):
            scene.joiner.hears(confirmation(nmk))
            await asyncio.sleep(0.05)
        await scene.until("the link is up")

    scene.play(act)
    assert scene.modem.nmk == NMK


def test_the_same_key_after_the_link_is_gone_is_another_matching() -> None:
    scene = Scene()

    async def act() -> None:
        await scene.until("the modem is")
        scene.joiner.hears(confirmation())
        await scene.until("the link is up")
        scene.change(lambda now: scene.outlet.power(False, now))
        await scene.until("the link is gone")
        scene.change(lambda now: scene.outlet.power(True, now))
        scene.told.clear()
        scene.joiner.hears(confirmation())
        await scene.until("the link is up")

    told = scene.play(act)
    assert told[0].startswith("heard CM_SLAC_MATCH.CNF")


def test_what_we_say_to_our_own_modem_is_no_news() -> None:
    scene = Scene()

    async def act() -> None:
        await scene.until("the modem is")
        scene.joiner.hears(confirmation(to=OURS))
        frame = slac.make("CM_SET_KEY.REQ", destination=b"\xff" * 6, source=OURS, nid=nid_from_nmk(NMK), new_key=NMK)
        scene.joiner.hears(slac.parse(frame))
        await asyncio.sleep(30.0)

    assert len(scene.play(act)) == 1


def test_a_key_whose_coordinator_is_not_heard() -> None:
    scene = Scene()

    async def act() -> None:
        await scene.until("the modem is")
        scene.joiner.hears(confirmation(OTHER))
        await scene.until("no link in")
        scene.change(lambda now: scene.outlet.rekey(OTHER, None, now))  # late, but it comes
        await scene.until("the link is up")

    told = scene.play(act)
    assert sum("no coordinator with this key is heard" in line for line in told) == 1


def test_nobody_answers() -> None:
    told: list[str] = []
    end, _ = wire(OURS)

    async def run() -> None:
        with pytest.raises(SetupError, match="no modem answers on plc: check its power"):
            await Joiner(end, told.append).run()

    with asyncio.Runner(loop_factory=PassingLoop) as runner:
        runner.run(run())
    assert told == []


def test_after_trouble_with_the_interface_the_modem_is_told_again(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene()
    tries = 0

    def opened(name: str) -> Any:
        nonlocal tries
        tries += 1
        if tries < 5:
            raise LinkError("interface plc is down: ip link set plc up")
        return scene.end

    monkeypatch.setattr(join, "Link", opened)

    async def act() -> None:
        await scene.until("the modem is")
        scene.joiner.hears(confirmation())
        await scene.until("the link is up")
        scene.told.clear()
        scene.end.failed(LinkError("interface plc went down: Network is down"))
        await scene.until("the link is up")

    assert scene.play(act)[:3] == [
        "interface plc went down: Network is down; the modem is tried again",
        "interface plc is down: ip link set plc up; the modem is tried again",
        "heard CM_SLAC_MATCH.CNF of 02:6f:75:74:30:30 to 02:63:61:72:30:30: "
        f"NID {nid_from_nmk(NMK).hex().upper()}, NMK {NMK.hex().upper()}",
    ]


# As it is, with processes


def test_a_listener_sees_a_matching_and_the_session_after_it(powerline: Any, tmp_path: Path) -> None:
    with powerline("mev0:ev", "mse0:evse", "mls0:listener", "--join", "0.4", "--delay", "1") as ends:
        listener = ends.run("listener", tmp_path, "sniff", "plc", "--join", "--summary", "--json")
        ends.until("the modem is", path=tmp_path / "listener.log")
        station = ends.run("outlet", tmp_path, "secc", "--interface", "plc", "--once")
        vehicle = ends.run(
            "car", tmp_path, "evcc", "--interface", "plc", "--once", "--soc", "50", "--target-soc", "50.02"
        )
        try:
            assert [each.wait(40) for each in (station, vehicle)] == [0, 0], (tmp_path / "car.log").read_text()
            time.sleep(0.3)
            listener.send_signal(signal.SIGINT)
            assert listener.wait(20) == 0
        finally:
            for each in (listener, station, vehicle):
                each.kill()
                each.wait()
    log = (tmp_path / "listener.log").read_text()
    assert "join: heard CM_SLAC_MATCH.CNF of" in log
    assert "join: the link is up after" in log
    summary = json.loads((tmp_path / "listener.out").read_text())
    assert [run["outcome"] for run in summary["matchings"]] == ["matched"]
    (session,) = summary["sessions"]
    assert (session["outcome"], session["protocol"], session["matching"]) == ("good", "din70121", 1)
    assert "VS_PL_LNK_STATUS.REQ" not in summary["mme"]  # what we asked our own modem
