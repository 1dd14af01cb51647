"""`python -m local run|up|down|...`: the commands that the Makefile calls."""

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
"""The first waits are short, so that the demo's retries can be seen."""

_NEXT_STEPS = """
Look around (`make run` keeps this terminal busy: use another one)

  make ops ARGS="doctor"                  # is the stack healthy?
  make ops ARGS="conversion {sale_id}"  # the whole story of the ClickBank sale
  make ops ARGS="deliveries --follow"     # deliveries to partners, as they happen
  make stop-partners                      # see how deliveries wait; `make start-partners` delivers them

Addresses, tokens and ids are in {stack_file}. `make down` stops everything.
"""


def main() -> int:
    arguments = _parser().parse_args()
    try:
        if arguments.command == "deploy-to-aws":
            return deploy_to_aws(arguments)
        _COMMANDS[arguments.command]()
    except (LocalError, DemoFailedError) as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    return 0


def deploy_to_aws(arguments: argparse.Namespace) -> int:
    """Return the exit code of sam; ask nothing with `--yes`."""
    if not arguments.yes and not sys.stdin.isatty():
        raise LocalError("there is no terminal to ask questions on; YES=1 deploys without questions")
    terminal = Terminal(None if arguments.yes else input, print_line)
    parameters = parse_parameters(arguments.parameters)
    deployment = plan(vars(arguments), parameters, terminal, aws_account, at_once=arguments.at_once)
    print_line(f"\nRunning:\n{deployment}\n")
    return deployment.run()


def run() -> None:
    """Run everything until Ctrl-C."""
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        up()
        print_line("Running. Ctrl-C stops it; the data in .local/ is kept for the next run.")
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        print_line("\nStopping.")
    finally:
        down()


def up() -> None:
    """Start the embedded AWS and the demo's partners, deploy, seed, show the main loop; leave everything running."""
    started = time.monotonic()
    if PROCESSES.exists():
        down()
    port = int(os.environ.get("PORT") or "4566")
    partner_port = port + 10 if is_free(port + 10) else free_port()
    emulator = Emulator(port, LOCAL / "aws" / str(port), keep_state=True)  # the kept state contains the port
    print_line(f"Starting the embedded AWS on 127.0.0.1:{port}")
    emulator.start()
    _save_processes({"emulator": emulator.pid})
    partners = _start_partners(partner_port)
    _save_processes({"emulator": emulator.pid, "partners": partners.pid})
    print_line("Building and deploying the template (sam build, sam deploy)")
    targets = [f"127.0.0.1:{partner_port}", os.environ.get("ALLOWED_TARGETS", "")]
    stack = stacks.deploy(emulator, AllowedTargets=",".join(filter(None, targets)), RetrySchedule=DEMO_SCHEDULE)
    print_line("Creating products, partners, networks and users through the API")
    partner_url = f"http://127.0.0.1:{partner_port}"
    demo = seed(stack, partner_url)
    _write_stack_file(stack, emulator, partner_url, demo)
    print_line(f"Ready after {time.monotonic() - started:.0f} s: {stack.api_url}")
    sale_id = show_loop(stack, demo, partner_url, print_line)
    click, postback = curl_lines(stack, demo)
    print_line(f"\nTry it by hand. Create a click:\n\n{click}\n\nReport a conversion for a new click:\n\n{postback}")
    print_line(f"\nAPI documentation: {stack.api_url}/docs")
    print_line(_NEXT_STEPS.format(sale_id=sale_id, stack_file=STACK_FILE.relative_to(ROOT)))


def down() -> None:
    """Stop what `up` started, and nothing else."""
    for pid in reversed(_processes().values()):
        if _is_ours(pid):
            stop_group(pid)
    PROCESSES.unlink(missing_ok=True)


def stop_partners() -> None:
    """Stop only the demo's partners, to see what happens to their deliveries."""
    pid = _processes().get("partners")
    if pid is None or not _is_ours(pid):
        raise LocalError("the partners are not running: `make start-partners` starts them, `make up` starts everything")
    stop_group(pid)
    print_line("The demo's partners have stopped. `make start-partners` starts them again.")


def start_partners() -> None:
    """Start the demo's partners again on the same port, without what they received before."""
    processes = _processes()
    port = urlsplit(json.loads(STACK_FILE.read_text())["partner_url"]).port if processes else None
    if port is None or not is_free(port):
        raise LocalError("the partners are already running, or nothing is: `make up` starts everything")
    _save_processes(processes | {"partners": _start_partners(port).pid})
    print_line(f"The demo's partners are running again on 127.0.0.1:{port}.")


def print_line(text: str) -> None:
    print(text, flush=True)


_COMMANDS: dict[str, Callable[[], None]] = {
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
    for name in _COMMANDS:
        commands.add_parser(name)
    to_aws = commands.add_parser("deploy-to-aws")
    for name in ("environment", "region", "stack-name", "parameters"):
        to_aws.add_argument(f"--{name}", default="")
    for name in ("yes", "at-once"):
        to_aws.add_argument(f"--{name}", action="store_true")
    return parser


def _processes() -> dict[str, int]:
    """Return the process ids of what `up` started, by name, in the order of their start."""
    return json.loads(PROCESSES.read_text()) if PROCESSES.exists() else {}


def _save_processes(processes: dict[str, int]) -> None:
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
    """Whether the process is still the one that we started: process ids are reused."""
    try:
        command_line = Path(f"/proc/{pid}/cmdline").read_bytes()
    except FileNotFoundError:
        return not Path("/proc").exists()
    return str(ROOT).encode() in command_line


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
