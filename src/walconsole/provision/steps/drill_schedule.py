"""What has a restore drill made when one is due: a systemd timer, or a table of cron's."""

from walconsole.domain.units import duration_text
from walconsole.droplet.files import DropletFile, Schedule
from walconsole.droplet.names import names_of
from walconsole.provision.droplet.schedules import runner_text, wanted_drill_files
from walconsole.provision.droplet.survey import Survey
from walconsole.provision.steps.backup_schedule import BackupSchedule


class DrillSchedule(BackupSchedule):
    """model.Step. There where the profile says how often (drills.every)."""

    id = "drill-schedule"
    title = "Drill schedule"
    explanation = (
        "Has the drill's script called every night, by a systemd timer or by cron where there is no systemd. "
        "It makes a drill where the last good one is about as old as the profile's drills.every says, and "
        "ends at once where it is not; after one that failed it tries again the next night."
    )
    done = "a restore drill is made where one is due"
    undone = "no restore drill is made any more by itself"

    def _unit(self) -> str:
        return names_of(self._site.profile).drill_timer

    def _wanted(self, survey: Survey, schedule: Schedule) -> tuple[DropletFile, ...]:
        return wanted_drill_files(self._site, survey, schedule)

    def _when(self, schedule: Schedule) -> str:
        drill = self._site.drill
        at = f"{drill.hour:02}:{drill.minute:02}"
        if schedule is Schedule.CRON:
            return f"every night at {at}, by {runner_text(schedule)},"
        within = f" within {duration_text(float(drill.jitter_s))}" if drill.jitter_s else ""
        return f"every night from {at} on{within}, by {runner_text(schedule)},"
