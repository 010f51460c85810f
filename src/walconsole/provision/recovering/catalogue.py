"""The steps of a recovery, in the order in which they are run.

Three runs make one recovery. `to_the_pause` ends with the look before it counts; from there `onwards`
promotes it and puts it in force, `further` goes to a later target without a new restore, `back` gives it up.
A screen may run `to_the_pause` and `onwards` as one list: the gate of `recover-promote` asks in between.

| id | class | what it does |
|---|---|---|
| recover-choose | ChooseBackup | the base backup, room, time, loss; refuses with words |
| recover-command | RecoverCommand | the script, and the folder in which it tells where it stands |
| recover-keep | KeepOld | the old server's last WAL archived or kept; in place: it is stopped |
| recover-restore | RestoreBackup | fetched, unpacked, compared with the manifest, beside the old files |
| recover-replay | ReplayToTarget | replayed by a private server, paused at the target |
| recover-look | LookBefore | read-only questions with lock and statement timeouts |
| recover-promote | PromoteCopy | it is opened for writing, still private, still without archiving |
| recover-take-over | TakeOver | the old one stopped and moved aside, the real configuration in force |
| recover-archived | NewTimeline | the new timeline's history and first segment in each copy |
| backup-command, backup | BackupCommand, BackupNow | a base backup on the new timeline |
| recover-verdict | LastWord | the first line, read anew |
| recover-give-up | GiveUp | the private server ended, the old one started again |
| recover-dump | DumpPart | one table or database of the paused copy, into a file |
"""
