"""Starts Airflow on an empty database, runs what the lines of standard input ask for, and stops all of it at their end.

    drive.py FOLDER DATABASE PORT

FOLDER gets everything that Airflow writes. Each line `DAG RUNS` triggers that many runs at once and is answered by the seconds
until the last of them has ended; the first answer, before any line, tells what runs here. Answers are JSON, one in a line.
"""

import json
import os
import platform
import secrets
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

# What differs from the defaults, and why.
TUNED = {
    # a few for each core, for tasks wait for answers of the API server
    "core.parallelism": "{parallelism}",
    # a scheduler that found nothing to do looks again soon, and not after a second; sooner still, it takes the tasks' cores
    "scheduler.scheduler_idle_sleep_time": "0.1",
    # as many runs and tasks as there are, in each loop
    "scheduler.max_dagruns_per_loop_to_schedule": "200",
    "scheduler.max_dagruns_to_create_per_loop": "200",
    "scheduler.max_tis_per_query": "64",
    # the pipelines do not change: nobody reads them again while time is taken
    "dag_processor.min_file_process_interval": "3600",
    "dag_processor.refresh_interval": "3600",
    "logging.logging_level": "WARNING",
    # a task that waits longer for an answer fails
    "workers.execution_api_timeout": "60",
}
READY_SECONDS = 180
RUN_SECONDS = 1800
POLL_SECONDS = 0.02


def settings(folder, database, port):
    tuned = {name: value.format(parallelism=4 * os.cpu_count()) for name, value in TUNED.items()}
    needed = {
        "core.executor": "LocalExecutor",
        "core.dags_folder": f"{folder}/dags",
        "core.load_examples": "False",
        "core.dags_are_paused_at_creation": "False",
        "core.execution_api_server_url": f"http://127.0.0.1:{port}/execution/",
        "core.simple_auth_manager_all_admins": "True",
        "core.fernet_key": "",
        "api.host": "127.0.0.1",
        "api.port": str(port),
        "api.secret_key": secrets.token_hex(16),
        "api_auth.jwt_secret": secrets.token_hex(32),
        "database.sql_alchemy_conn": database,
        "logging.base_log_folder": f"{folder}/logs",
    }
    return tuned, needed | tuned


def main():
    folder, database, port = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    # whatever libraries print goes with the errors; what is told stays alone
    told = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    (folder / "dags").mkdir(parents=True)
    shutil.copy(Path(__file__).with_name("dags.py"), folder / "dags")
    tuned, all_settings = settings(folder, database, port)
    for name, value in all_settings.items():
        os.environ["AIRFLOW__" + name.replace(".", "__").upper()] = value
    os.environ["AIRFLOW_HOME"] = str(folder)
    parts = []
    try:
        airflow = str(Path(sys.executable).with_name("airflow"))
        subprocess.run([airflow, "db", "migrate"], check=True, stdin=subprocess.DEVNULL)
        # the server of the scheduler's logs would listen to the whole network
        for part in [["api-server"], ["scheduler", "--skip-serve-logs"], ["dag-processor"]]:
            parts.append(start([airflow, *part], folder / f"{part[0]}.log"))
        serve(parts, told, tuned)
    finally:
        stop(parts)


def start(command, log):
    with open(log, "wb") as output:
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )


def stop(parts):
    """Ends the parts with all that they started: first politely, then for good."""
    for number, wait in [(signal.SIGTERM, 15), (signal.SIGKILL, 5)]:
        for part in parts:
            try:
                os.killpg(part.pid, number)
            except ProcessLookupError:
                pass
        until = time.monotonic() + wait
        for part in parts:
            try:
                part.wait(max(0, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                pass


def serve(parts, told, tuned):
    # only now, for it reads the settings
    import airflow
    from airflow.settings import engine

    wait_until_ready(parts)
    with engine.connect() as connection:
        version = connection.exec_driver_sql("SHOW server_version").scalar()
    versions = {
        "airflow": airflow.__version__,
        "python": platform.python_version(),
        "database": f"PostgreSQL {version}",
        "tuned": tuned,
    }
    print(json.dumps(versions), file=told)
    for line in sys.stdin:
        dag, runs = line.split()
        print(json.dumps({"seconds": run(dag, int(runs), parts)}), file=told)


def wait_until_ready(parts):
    url = os.environ["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"] + "health"

    def ready(session):
        from airflow.jobs.job import Job
        from airflow.models.serialized_dag import SerializedDagModel
        from sqlalchemy import select

        kinds = set(session.scalars(select(Job.job_type).where(Job.state == "running")))
        return "SchedulerJob" in kinds and session.query(SerializedDagModel).count() == 2 and answers(url)

    wait(ready, READY_SECONDS, 0.2, parts)


def answers(url):
    try:
        return urllib.request.urlopen(url, timeout=5).status == 200
    except OSError:
        return False


def run(dag, runs, parts):
    """Seconds from the first trigger until the last run has ended; all of it must have succeeded, and been run."""
    from airflow.api.common.trigger_dag import trigger_dag
    from airflow.models import DagRun, TaskInstance
    from airflow.utils.types import DagRunTriggeredByType

    names = [f"bench_{secrets.token_hex(8)}" for _ in range(runs)]
    begin = time.monotonic()
    for name in names:
        trigger_dag(dag, run_id=name, triggered_by=DagRunTriggeredByType.CLI)

    def open_runs(session):
        return session.query(DagRun).filter(DagRun.state.in_(["queued", "running"])).count()

    wait(lambda session: open_runs(session) == 0, RUN_SECONDS, POLL_SECONDS, parts)
    seconds = time.monotonic() - begin

    def check(session):
        good = session.query(DagRun).filter(DagRun.run_id.in_(names), DagRun.state == "success").count()
        tasks = session.query(TaskInstance).filter(TaskInstance.run_id.in_(names))
        # what the scheduler only marks as done has no process
        executed = tasks.filter(TaskInstance.state == "success", TaskInstance.pid.is_not(None)).count()
        if good != runs or executed != tasks.count():
            raise SystemExit(f"{dag}: of {runs} runs {good} succeeded, and {executed} tasks were executed")
        return True

    wait(check, 1, 0, parts)
    return seconds


def wait(condition, seconds, pause, parts):
    from airflow.utils.session import create_session

    until = time.monotonic() + seconds
    while True:
        with create_session() as session:
            if condition(session):
                return
        ended = [part.args[1] for part in parts if part.poll() is not None]
        if ended or time.monotonic() > until:
            raise SystemExit(f"airflow {' '.join(ended)} ended" if ended else f"not done after {seconds} s")
        time.sleep(pause)


if __name__ == "__main__":
    main()
