"""Our words and what each means. Status: where a run is in its life; result: its verdict. Two axes, never merged."""

from django.db import models


class RunStatus(models.TextChoices):
    CREATED = "created", "Created"
    QUEUED = "queued", "Queued"
    STARTING = "starting", "Starting"
    RUNNING = "running", "Running"
    STOPPING = "stopping", "Stopping"
    PROCESSING = "processing", "Processing"
    FINISHED = "finished", "Finished"
    ABORTED = "aborted", "Aborted"
    TIMED_OUT = "timed_out", "Timed out"
    ERROR = "error", "Error"
    UNKNOWN = "unknown", "Unknown"


class RunResult(models.TextChoices):
    PASSED = "passed", "Passed"
    FAILED = "failed", "Failed"
    ERROR = "error", "Error"
    NONE = "none", "None"


class StopReason(models.TextChoices):
    """Why a run ended before its plan; empty when it did not or nobody said."""

    USER = "user", "by user"
    THRESHOLD = "threshold", "threshold"
    AUTO_STOP = "auto_stop", "auto-stop"
    LIMIT = "limit", "limit"
    SCRIPT_ERROR = "script_error", "script"
    SYSTEM = "system", "system"


LIVE = (
    RunStatus.CREATED,
    RunStatus.QUEUED,
    RunStatus.STARTING,
    RunStatus.RUNNING,
    RunStatus.STOPPING,
    RunStatus.PROCESSING,
)
ENDED = (RunStatus.FINISHED, RunStatus.ABORTED, RunStatus.TIMED_OUT, RunStatus.ERROR)
# A run whose load is over cannot be stopped any more, though it has not ended.
STOPPABLE = (RunStatus.CREATED, RunStatus.QUEUED, RunStatus.STARTING, RunStatus.RUNNING)


class MessageLevel(models.TextChoices):
    INFO = "info", "Info"
    OUTPUT = "output", "Output"
    WARNING = "warning", "Warning"
    ERROR = "error", "Error"
    CRITICAL = "critical", "Critical"


class IntentKind(models.TextChoices):
    START = "start", "Start"
    STOP = "stop", "Stop"


class IntentOutcome(models.TextChoices):
    """How far a person's wish has come. Those of UNSETTLED can still change; all others are final."""

    OPEN = "open", "Not sent yet"
    SENT = "sent", "Sent, no answer yet"
    ACCEPTED = "accepted", "Accepted, not confirmed yet"
    CREATED = "created", "Created, not queued"
    DONE = "done", "Done"
    REFUSED = "refused", "Refused"
    NOT_STARTED = "not_started", "Not started"
    CANNOT_TELL = "cannot_tell", "Cannot tell"
    LEFT = "left", "Left as it is"
    NO_EFFECT = "no_effect", "No effect"


UNSETTLED = (IntentOutcome.OPEN, IntentOutcome.SENT, IntentOutcome.ACCEPTED, IntentOutcome.CREATED)


class SyncInterval(models.IntegerChoices):
    """How often an account at rest is synced, in seconds; while something is under way it is far more often."""

    MINUTE = 60, "every minute"
    FIVE_MINUTES = 300, "every 5 minutes"
    QUARTER = 900, "every 15 minutes"
    HOUR = 3600, "every hour"
    SIX_HOURS = 21600, "every 6 hours"
    DAY = 86400, "once a day"


class Role(models.TextChoices):
    """The Django groups; each can do what the one before it can."""

    VIEWER = "viewer", "Viewer"
    OPERATOR = "operator", "Operator"
    ADMIN = "admin", "Admin"
