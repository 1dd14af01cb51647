"""`python -m local run|up|down|...`: what the Makefile calls."""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from local import stack as stacks
from local.demo import DemoFailedError, curl_lines, show_loop
from local.deployment import Terminal, aws_account, parse_parameters, plan
from local.emulator import Emulator, stop_group
from local.seed import Demo, seed
from local.stack import Stack
from local.workspace import LOCAL, REGION, ROOT, STACK_FILE, LocalError, clean_environment, free_port, is_free

PROCESSES = LOCAL / "processes.json"
DEMO_SCHEDULE = "2,4,15,60,300,900,3600,10800,21600,86400"
"""The first waits are short, so that the demo's retries can be watched."""

_WHAT_NEXT = """
Look around (in another terminal, if this one is busy):

make ops ARGS="doctor"                  # is all well?
make ops ARGS="conversion {sale_id}"  # the whole story of ClickBank's sale
make ops ARGS="deliveries --follow"     # who is told what, as it happens
make stop-partners                      # what becomes of deliveries then? `make start-partners` mends it

Addresses, tokens and ids stand in {stack_file}. `make down` stops everything.
"""


def main() -> int:
    arguments = _parser().parse_args()
    try:
        if arguments.command == "deploy-to-aws":
            return deploy_to_aws(arguments)
        _PLAIN[arguments.command]()
    except (LocalError, DemoFailedError) as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    return 0


def deploy_to_aws(arguments: argparse.Namespace) -> int:
    """sam's exit code; with `--yes` nobody is asked anything."""
    if not arguments.yes and not sys.stdin.isatty():
        raise LocalError("nobody is there to be asked; YES=1 deploys without questions")
    terminal = Terminal(None if arguments.yes else input, say)
    parameters = parse_parameters(arguments.parameters)
    deployment = plan(vars(arguments), parameters, terminal, aws_account, at_once=arguments.at_once)
    say(f"\nThis runs now:\n{deployment}\n")
    return deployment.run()


def run() -> None:
    """Everything, until Ctrl-C."""
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        up()
        say("Serving. Ctrl-C stops it; its data stays in .local/ for the next time.")
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        say("\nStopping.")
    finally:
        down()


def up() -> None:
    """Starts the embedded AWS and the demo's partners, deploys, seeds and shows the loop; leaves them running."""
    started = time.monotonic()
    if PROCESSES.exists():
        down()
    port = int(os.environ.get("PORT") or "4566")
    partner_port = port + 10 if is_free(port + 10) else free_port()
    emulator = Emulator(port, LOCAL / "aws" / str(port), keep_state=True)  # what it keeps names its port
    say(f"Starting the embedded AWS on 127.0.0.1:{port}")
    emulator.start()
    _remember({"emulator": emulator.pid})
    partners = _start_partners(partner_port)
    _remember({"emulator": emulator.pid, "partners": partners.pid})
    say("Building the template and deploying it (sam build, sam deploy)")
    targets = [f"127.0.0.1:{partner_port}", os.environ.get("ALLOWED_TARGETS", "")]
    stack = stacks.deploy(emulator, AllowedTargets=",".join(filter(None, targets)), RetrySchedule=DEMO_SCHEDULE)
    say("Seeding products, partners and people through the API")
    partner_url = f"http://127.0.0.1:{partner_port}"
    demo = seed(stack, partner_url)
    _write_stack_file(stack, emulator, partner_url, demo)
    say(f"Ready after {time.monotonic() - started:.0f} s: {stack.api_url}")
    sale_id = show_loop(stack, demo, partner_url, say)
    click, postback = curl_lines(stack, demo)
    say(f"\nDo it again by hand. A click:\n\n{click}\n\nA postback, for a click that waits for it:\n\n{postback}")
    say(f"\nThe API, to read and to try: {stack.api_url}/docs")
    say(_WHAT_NEXT.format(sale_id=sale_id, stack_file=STACK_FILE.relative_to(ROOT)))


def down() -> None:
    """Stops what `up` started, and only that."""
    for pid in reversed(_processes().values()):
        if _is_ours(pid):
            stop_group(pid)
    PROCESSES.unlink(missing_ok=True)


def stop_partners() -> None:
    """Stops the demo's partners alone, so that it can be seen what becomes of their deliveries."""
    pid = _processes().get("partners")
    if pid is None or not _is_ours(pid):
        raise LocalError("no partners are running; `make up` starts everything, `make start-partners` them alone")
    stop_group(pid)
    say("The demo's partners are gone. `make start-partners` brings them back.")


def start_partners() -> None:
    """Starts the demo's partners again where they were, with no memory of what they had received."""
    processes = _processes()
    port = urlsplit(json.loads(STACK_FILE.read_text())["partner_url"]).port if processes else None
    if port is None or not is_free(port):
        raise LocalError("the partners are running already, or nothing is; `make up` starts everything")
    _remember(processes | {"partners": _start_partners(port).pid})
    say(f"The demo's partners are back on 127.0.0.1:{port}.")


def say(text: str) -> None:
    print(text, flush=True)


_PLAIN: dict[str, Callable[[], None]] = {
    "run": run,
    "up": up,
    "down": down,
    "stop-partners": stop_partners,
    "start-partners": start_partners,
    "validate": stacks.validate,
}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="local", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name in _PLAIN:
        commands.add_parser(name)
    to_aws = commands.add_parser("deploy-to-aws")
    for name in ("environment", "region", "stack-name", "parameters"):
        to_aws.add_argument(f"--{name}", default="")
    for name in ("yes", "at-once"):
        to_aws.add_argument(f"--{name}", action="store_true")
    return parser


def _processes() -> dict[str, int]:
    """What `up` started, in this order: name and process id."""
    return json.loads(PROCESSES.read_text()) if PROCESSES.exists() else {}


def _remember(processes: dict[str, int]) -> None:
    PROCESSES.write_text(json.dumps(processes))


def _start_partners(port: int) -> subprocess.Popen[bytes]:
    with (LOCAL / "partners.log").open("ab") as log:
        return subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", "local.partner_server", str(port)],
            cwd=ROOT,
            env=clean_environment(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def _write_stack_file(stack: Stack, emulator: Emulator, partner_url: str, demo: Demo) -> None:
    content: dict[str, Any] = {
        "api_url": stack.api_url,
        "aws_endpoint_url": emulator.endpoint_url,
        "region": REGION,
        "stack_name": stack.name,
        "outputs": stack.outputs,
        "partner_url": partner_url,
        "demo": demo.to_json(),
    }
    STACK_FILE.touch(mode=0o600)
    STACK_FILE.write_text(json.dumps(content, indent=2) + "\n")


def _is_ours(pid: int) -> bool:
    """Whether the process is still the one that we started: numbers are given out again."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes()
    except FileNotFoundError:
        return not Path("/proc").exists()
    return str(ROOT).encode() in words


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
