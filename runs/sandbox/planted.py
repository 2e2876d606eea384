"""The secrets planted in the answers: made from the seed and a place, so that any of them can be listed again.

They look like what the real services hand out (hex tokens, base64 signatures) and are found nowhere else.
"""

import base64
import hashlib
import uuid
from urllib.parse import quote


class Secrets:
    def __init__(self, seed: int) -> None:
        self._key = f"plimsoll-sandbox-{seed}".encode()

    def _digest(self, place: str, size: int = 32) -> bytes:
        return hashlib.blake2b(place.encode(), digest_size=size, key=self._key).digest()

    def hex(self, place: str) -> str:
        return self._digest(place).hex()

    def signature(self, place: str) -> str:
        """A storage signature as it is before URL-encoding: 44 characters of base64."""
        return base64.b64encode(self._digest(place)).decode()

    @property
    def k6_token(self) -> str:
        return self.hex("k6 token")

    @property
    def k6_read_token(self) -> str:
        return self.hex("k6 read-only token")

    @property
    def v6_token(self) -> str:
        return "glsa_" + self.hex("k6 v6 token")

    @property
    def v6_read_token(self) -> str:
        return "glsa_" + self.hex("k6 v6 read-only token")

    @property
    def vsts_pat(self) -> str:
        return base64.b32encode(self._digest("vsts pat", 35)).decode().lower()[:52]

    @property
    def vsts_read_pat(self) -> str:
        return base64.b32encode(self._digest("vsts read-only pat", 35)).decode().lower()[:52]

    def guid(self, place: str) -> str:
        return str(uuid.UUID(bytes=self._digest(place, 16), version=4))

    @property
    def azure_tenant(self) -> str:
        return self.guid("azure tenant")

    @property
    def azure_client(self) -> tuple[str, str]:
        """The id and the secret of the application that may do everything."""
        return self.guid("azure client"), self._azure_secret("azure secret")

    @property
    def azure_reader(self) -> tuple[str, str]:
        """The id and the secret of the application that may only read."""
        return self.guid("azure reader"), self._azure_secret("azure reader's secret")

    def _azure_secret(self, place: str) -> str:
        return "Kq38Q~" + base64.urlsafe_b64encode(self._digest(place)).decode()[:34]

    def seal(self, text: str) -> bytes:
        """What makes an access token ours."""
        return self._digest(f"seal {text}")

    def azure_sig(self, place: str) -> str:
        return self.signature(f"azure {place}")

    def agent_token(self, run_id: str) -> str:
        return self.hex(f"agent {run_id}")

    def options_token(self, run_id: str) -> str:
        return self.hex(f"options {run_id}")

    def environment(self, run_id: str) -> dict[str, str]:
        return {
            "SHOP_API_KEY": "shopkey-" + self.hex(f"env {run_id}")[:40],
            "DB_PASSWORD": self.hex(f"db {run_id}")[:24],
        }

    def export_sig(self, run_id: str) -> str:
        return self.signature(f"export {run_id}")

    def results_sig(self, run_id: str) -> str:
        return self.signature(f"results {run_id}")

    def diagnostics_sig(self, run_id: str) -> str:
        return self.signature(f"diagnostics {run_id}")

    def drop_sig(self, drop_id: str) -> str:
        return self.signature(f"drop {drop_id}")


def sas_query(signature: str, resource: str, permissions: str = "r") -> str:
    """A storage access query as Azure writes it, without the question mark."""
    return f"sv=2014-02-14&sr={resource}&sp={permissions}&se=2036-01-01T00%3A00%3A00Z&sig={quote(signature, safe='')}"
