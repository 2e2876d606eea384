"""The load of the demo, for Locust: people who look, people who search, and people who pay and sometimes go wrong."""

from locust import HttpUser, between, task


class Visitor(HttpUser):
    weight = 3
    wait_time = between(0.2, 1)

    @task
    def look(self) -> None:
        self.client.get("/")


class Searcher(HttpUser):
    wait_time = between(0.5, 1.5)

    @task
    def search(self) -> None:
        self.client.get("/search?q=lamp", name="/search")


class Buyer(HttpUser):
    wait_time = between(0.5, 1.5)

    @task
    def pay(self) -> None:
        answer = self.client.post("/pay")
        if not answer.ok:
            raise RuntimeError("The basket was not paid for.")
