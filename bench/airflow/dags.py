"""What Airflow runs beside Levada: tasks in sequence that do nothing.

They are Python tasks, for an EmptyOperator would prove nothing: the scheduler marks it as done and never runs it.
"""

from airflow.sdk import dag, task


def chain(name, length):
    @dag(name, schedule=None, catchup=False, max_active_runs=1000, max_active_tasks=1000)
    def pipeline():
        @task
        def nothing():
            pass

        tasks = [nothing.override(task_id=f"t{number}")() for number in range(length)]
        for before, after in zip(tasks, tasks[1:]):
            before >> after

    return pipeline()


chain("forty", 40)
chain("three", 3)
