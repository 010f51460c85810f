"""What is known of settings without asking a server: PostgreSQL 13 to 18.

Which of them decide about archiving; and, with the server down, enough to compare these by their units and
to recognise a name that no server has. With it up, pg_settings tells all of it exactly.
"""

import functools
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from walconsole.domain.pgconf.reader import fold
from walconsole.domain.pgconf.values import Context, SettingMeta, VarType
from walconsole.domain.postgres_versions import NEWEST_MAJOR

ARCHIVE_SETTINGS: tuple[str, ...] = (
    # what archives, and how often
    "archive_mode",
    "archive_command",
    "archive_library",
    "archive_timeout",
    "wal_level",
    # what restores
    "restore_command",
    "archive_cleanup_command",
    "recovery_target_timeline",
    # how much WAL there is, and what keeps it
    "wal_segment_size",
    "max_wal_size",
    "min_wal_size",
    "wal_keep_size",
    "max_slot_wal_keep_size",
    "idle_replication_slot_timeout",
    "summarize_wal",
    "wal_summary_keep_time",
    "checkpoint_timeout",
    "wal_compression",
    "wal_recycle",
    # what the archived WAL is worth
    "fsync",
    "full_page_writes",
    "synchronous_commit",
    "wal_log_hints",
    "data_checksums",
    "zero_damaged_pages",
    "ignore_checksum_failure",
    "max_wal_senders",
    # where the server reads and writes
    "data_directory",
    "config_file",
    "hba_file",
    "cluster_name",
    "logging_collector",
    "log_destination",
    "log_directory",
    "log_filename",
    "log_timezone",
    "syslog_ident",
)
"""What a server is asked for at every look, by meaning. It lacks those that its version does not know."""

_ARCHIVE_RELEVANT = """
    archive_mode archive_command archive_library archive_timeout archive_cleanup_command
    restore_command recovery_end_command recovery_target recovery_target_name recovery_target_time
    recovery_target_xid recovery_target_lsn recovery_target_timeline recovery_target_inclusive
    recovery_target_action wal_level max_wal_senders wal_keep_size max_slot_wal_keep_size
    wal_compression full_page_writes fsync summarize_wal wal_summary_keep_time primary_conninfo
    primary_slot_name data_directory config_file
"""

ARCHIVE_RELEVANT = frozenset(_ARCHIVE_RELEVANT.split())
"""The settings that decide whether WAL is archived and whether it can be restored."""

_OLD_NAMES = {"sort_mem": "work_mem", "vacuum_mem": "maintenance_work_mem"}
"""map_old_guc_names; from 18 on also ssl_ecdh_curve."""

_FIRST_IN = {
    14: """
        client_connection_check_interval compute_query_id debug_discard_caches default_toast_compression
        enable_async_append enable_memoize huge_page_size idle_session_timeout in_hot_standby
        log_recovery_conflict_waits min_dynamic_shared_memory recovery_init_sync_method
        remove_temp_files_after_crash ssl_crl_dir track_wal_io_timing vacuum_failsafe_age
        vacuum_multixact_failsafe_age
    """,
    15: """
        archive_library log_startup_progress_interval recovery_prefetch recursive_worktable_factor
        shared_memory_size shared_memory_size_in_huge_pages stats_fetch_consistency wal_decode_buffer_size
    """,
    16: """
        createrole_self_grant debug_io_direct debug_logical_replication_streaming debug_parallel_query
        enable_presorted_aggregate file_extend_method gss_accept_delegation icu_validation_level
        max_parallel_apply_workers_per_subscription reserved_connections scram_iterations
        send_abort_for_crash send_abort_for_kill vacuum_buffer_usage_limit
    """,
    17: """
        allow_alter_system commit_timestamp_buffers enable_group_by_reordering event_triggers
        huge_pages_status io_combine_limit max_notify_queue_pages multixact_member_buffers
        multixact_offset_buffers notify_buffers serializable_buffers subtransaction_buffers summarize_wal
        sync_replication_slots synchronized_standby_slots trace_connection_negotiation transaction_buffers
        transaction_timeout wal_summary_keep_time
    """,
    18: """
        autovacuum_vacuum_max_threshold autovacuum_worker_slots enable_distinct_reordering
        enable_self_join_elimination extension_control_path file_copy_method idle_replication_slot_timeout
        io_max_combine_limit io_max_concurrency io_method io_workers log_lock_failures
        max_active_replication_origins md5_password_warnings num_os_semaphores oauth_validator_libraries
        ssl_groups ssl_tls13_ciphers track_cost_delay_timing vacuum_max_eager_freeze_failure_rate
        vacuum_truncate
    """,
}
_GONE_IN = {
    14: """
        operator_precedence_warning vacuum_cleanup_index_scale_factor
    """,
    15: """
        stats_temp_directory
    """,
    16: """
        force_parallel_mode lc_collate lc_ctype promote_trigger_file vacuum_defer_cleanup_age
    """,
    17: """
        db_user_namespace old_snapshot_threshold trace_recovery_messages
    """,
}
_ADDED = {name: major for major, names in _FIRST_IN.items() for name in names.split()}
_REMOVED = {name: major for major, names in _GONE_IN.items() for name in names.split()}
"""The first major version that knows a name, or that no longer does, as servers of all of them say.

What Debian adds (extension_destdir) is not here, nor what a minor version brought (output_plugin_libraries).
"""

# name|type|context|default|unit|minimum|maximum|choices, as pg_settings of 18 (13 to 15 where gone)
# has them; \N is a default that the server computes.
_RELEVANT = r"""
archive_mode|enum|postmaster|off||||always,on,off
archive_command|string|sighup|||||
archive_library|string|sighup|||||
archive_timeout|integer|sighup|0|s|0|1073741823|
archive_cleanup_command|string|sighup|||||
restore_command|string|sighup|||||
recovery_end_command|string|sighup|||||
wal_level|enum|postmaster|replica||||minimal,replica,logical
max_wal_senders|integer|postmaster|10||0|262143|
wal_keep_size|integer|sighup|0|MB|0|2147483647|
max_slot_wal_keep_size|integer|sighup|-1|MB|-1|2147483647|
min_wal_size|integer|sighup|80|MB|2|2147483647|
max_wal_size|integer|sighup|1024|MB|2|2147483647|
checkpoint_timeout|integer|sighup|300|s|30|86400|
checkpoint_completion_target|real|sighup|0.9||0|1|
wal_compression|enum|superuser|off||||pglz,lz4,zstd,on,off
wal_segment_size|integer|internal|16777216|B|1048576|1073741824|
wal_buffers|integer|postmaster|-1|8kB|-1|262143|
wal_sync_method|enum|sighup|fdatasync||||fsync,fdatasync,open_sync,open_datasync
wal_init_zero|bool|superuser|on||||
wal_recycle|bool|superuser|on||||
full_page_writes|bool|sighup|on||||
fsync|bool|sighup|on||||
synchronous_commit|enum|user|on||||local,remote_write,remote_apply,on,off
synchronous_standby_names|string|sighup|||||
primary_conninfo|string|sighup|||||
primary_slot_name|string|sighup|||||
hot_standby|bool|postmaster|on||||
max_replication_slots|integer|postmaster|10||0|262143|
wal_sender_timeout|integer|user|60000|ms|0|2147483647|
wal_receiver_timeout|integer|sighup|60000|ms|0|2147483647|
summarize_wal|bool|sighup|off||||
wal_summary_keep_time|integer|sighup|14400|min|0|35791394|
recovery_target|string|postmaster|||||
recovery_target_name|string|postmaster|||||
recovery_target_time|string|postmaster|||||
recovery_target_xid|string|postmaster|||||
recovery_target_lsn|string|postmaster|||||
recovery_target_timeline|string|postmaster|latest||||
recovery_target_inclusive|bool|postmaster|on||||
recovery_target_action|enum|postmaster|pause||||pause,promote,shutdown
promote_trigger_file|string|sighup|||||
config_file|string|postmaster|\N||||
data_directory|string|postmaster|\N||||
hba_file|string|postmaster|\N||||
ident_file|string|postmaster|\N||||
external_pid_file|string|postmaster|\N||||
port|integer|postmaster|5432||1|65535|
listen_addresses|string|postmaster|localhost||||
unix_socket_directories|string|postmaster|/tmp||||
cluster_name|string|postmaster|||||
log_destination|string|sighup|stderr||||
logging_collector|bool|postmaster|off||||
log_directory|string|sighup|log||||
log_filename|string|sighup|postgresql-%Y-%m-%d_%H%M%S.log||||
log_min_messages|enum|superuser|warning||||debug5,debug4,debug3,debug2,debug1,info,notice,warning,error,log,fatal,panic
log_checkpoints|bool|sighup|on||||
log_line_prefix|string|sighup|%m [%p] ||||
track_commit_timestamp|bool|postmaster|off||||
data_checksums|bool|internal|off||||
max_connections|integer|postmaster|100||1|262143|
shared_buffers|integer|postmaster|16384|8kB|16|1073741823|
password_encryption|enum|user|scram-sha-256||||md5,scram-sha-256
idle_replication_slot_timeout|integer|sighup|0|s|0|2147483647|
"""

# Everything else that a server from 13 to 18 knows.
_OTHERS = """
DateStyle IntervalStyle TimeZone allow_alter_system allow_in_place_tablespaces allow_system_table_mods
application_name array_nulls authentication_timeout autovacuum autovacuum_analyze_scale_factor
autovacuum_analyze_threshold autovacuum_freeze_max_age autovacuum_max_workers
autovacuum_multixact_freeze_max_age autovacuum_naptime autovacuum_vacuum_cost_delay
autovacuum_vacuum_cost_limit autovacuum_vacuum_insert_scale_factor autovacuum_vacuum_insert_threshold
autovacuum_vacuum_max_threshold autovacuum_vacuum_scale_factor autovacuum_vacuum_threshold
autovacuum_work_mem autovacuum_worker_slots backend_flush_after backslash_quote backtrace_functions
bgwriter_delay bgwriter_flush_after bgwriter_lru_maxpages bgwriter_lru_multiplier block_size bonjour
bonjour_name bytea_output check_function_bodies checkpoint_flush_after checkpoint_warning
client_connection_check_interval client_encoding client_min_messages commit_delay commit_siblings
commit_timestamp_buffers compute_query_id constraint_exclusion cpu_index_tuple_cost cpu_operator_cost
cpu_tuple_cost createrole_self_grant cursor_tuple_fraction data_directory_mode data_sync_retry
db_user_namespace deadlock_timeout debug_assertions debug_discard_caches debug_io_direct
debug_logical_replication_streaming debug_parallel_query debug_pretty_print debug_print_parse
debug_print_plan debug_print_rewritten default_statistics_target default_table_access_method
default_tablespace default_text_search_config default_toast_compression default_transaction_deferrable
default_transaction_isolation default_transaction_read_only dynamic_library_path
dynamic_shared_memory_type effective_cache_size effective_io_concurrency enable_async_append
enable_bitmapscan enable_distinct_reordering enable_gathermerge enable_group_by_reordering enable_hashagg
enable_hashjoin enable_incremental_sort enable_indexonlyscan enable_indexscan enable_material
enable_memoize enable_mergejoin enable_nestloop enable_parallel_append enable_parallel_hash
enable_partition_pruning enable_partitionwise_aggregate enable_partitionwise_join
enable_presorted_aggregate enable_self_join_elimination enable_seqscan enable_sort enable_tidscan
escape_string_warning event_source event_triggers exit_on_error extension_control_path extension_destdir
extra_float_digits file_copy_method file_extend_method force_parallel_mode from_collapse_limit geqo
geqo_effort geqo_generations geqo_pool_size geqo_seed geqo_selection_bias geqo_threshold
gin_fuzzy_search_limit gin_pending_list_limit gss_accept_delegation hash_mem_multiplier
hot_standby_feedback huge_page_size huge_pages huge_pages_status icu_validation_level
idle_in_transaction_session_timeout idle_session_timeout ignore_checksum_failure ignore_invalid_pages
ignore_system_indexes in_hot_standby integer_datetimes io_combine_limit io_max_combine_limit
io_max_concurrency io_method io_workers jit jit_above_cost jit_debugging_support jit_dump_bitcode
jit_expressions jit_inline_above_cost jit_optimize_above_cost jit_profiling_support jit_provider
jit_tuple_deforming join_collapse_limit krb_caseins_users krb_server_keyfile lc_collate lc_ctype
lc_messages lc_monetary lc_numeric lc_time lo_compat_privileges local_preload_libraries lock_timeout
log_autovacuum_min_duration log_connections log_disconnections log_duration log_error_verbosity
log_executor_stats log_file_mode log_hostname log_lock_failures log_lock_waits log_min_duration_sample
log_min_duration_statement log_min_error_statement log_parameter_max_length
log_parameter_max_length_on_error log_parser_stats log_planner_stats log_recovery_conflict_waits
log_replication_commands log_rotation_age log_rotation_size log_startup_progress_interval log_statement
log_statement_sample_rate log_statement_stats log_temp_files log_timezone log_transaction_sample_rate
log_truncate_on_rotation logical_decoding_work_mem maintenance_io_concurrency maintenance_work_mem
max_active_replication_origins max_files_per_process max_function_args max_identifier_length
max_index_keys max_locks_per_transaction max_logical_replication_workers max_notify_queue_pages
max_parallel_apply_workers_per_subscription max_parallel_maintenance_workers max_parallel_workers
max_parallel_workers_per_gather max_pred_locks_per_page max_pred_locks_per_relation
max_pred_locks_per_transaction max_prepared_transactions max_stack_depth max_standby_archive_delay
max_standby_streaming_delay max_sync_workers_per_subscription max_worker_processes md5_password_warnings
min_dynamic_shared_memory min_parallel_index_scan_size min_parallel_table_scan_size
multixact_member_buffers multixact_offset_buffers notify_buffers num_os_semaphores
oauth_validator_libraries old_snapshot_threshold output_plugin_libraries parallel_leader_participation
parallel_setup_cost parallel_tuple_cost plan_cache_mode post_auth_delay pre_auth_delay
quote_all_identifiers random_page_cost recovery_init_sync_method recovery_min_apply_delay
recovery_prefetch recursive_worktable_factor remove_temp_files_after_crash reserved_connections
restart_after_crash restrict_nonsystem_relation_kind row_security scram_iterations search_path
segment_size send_abort_for_crash send_abort_for_kill seq_page_cost serializable_buffers server_encoding
server_version server_version_num session_preload_libraries session_replication_role shared_memory_size
shared_memory_size_in_huge_pages shared_memory_type shared_preload_libraries ssl ssl_ca_file
ssl_cert_file ssl_ciphers ssl_crl_dir ssl_crl_file ssl_dh_params_file ssl_ecdh_curve ssl_groups
ssl_key_file ssl_library ssl_max_protocol_version ssl_min_protocol_version ssl_passphrase_command
ssl_passphrase_command_supports_reload ssl_prefer_server_ciphers ssl_tls13_ciphers
standard_conforming_strings statement_timeout stats_fetch_consistency subtransaction_buffers
superuser_reserved_connections sync_replication_slots synchronize_seqscans synchronized_standby_slots
syslog_facility syslog_ident syslog_sequence_numbers syslog_split_messages tcp_keepalives_count
tcp_keepalives_idle tcp_keepalives_interval tcp_user_timeout temp_buffers temp_file_limit
temp_tablespaces timezone_abbreviations trace_connection_negotiation trace_notify trace_recovery_messages
trace_sort track_activities track_activity_query_size track_cost_delay_timing track_counts
track_functions track_io_timing track_wal_io_timing transaction_buffers transaction_deferrable
transaction_isolation transaction_read_only transaction_timeout transform_null_equals unix_socket_group
unix_socket_permissions update_process_title vacuum_buffer_usage_limit vacuum_cost_delay
vacuum_cost_limit vacuum_cost_page_dirty vacuum_cost_page_hit vacuum_cost_page_miss
vacuum_defer_cleanup_age vacuum_failsafe_age vacuum_freeze_min_age vacuum_freeze_table_age
vacuum_max_eager_freeze_failure_rate vacuum_multixact_failsafe_age vacuum_multixact_freeze_min_age
vacuum_multixact_freeze_table_age vacuum_truncate wal_block_size wal_consistency_checking
wal_decode_buffer_size wal_log_hints wal_receiver_create_temp_slot wal_receiver_status_interval
wal_retrieve_retry_interval wal_skip_threshold wal_writer_delay wal_writer_flush_after work_mem xmlbinary
xmloption zero_damaged_pages
operator_precedence_warning stats_temp_directory vacuum_cleanup_index_scale_factor
"""


def _meta(row: str) -> SettingMeta:
    name, vartype, context, boot, unit, low, high, choices = row.split("|")
    return SettingMeta(
        name,
        VarType(vartype),
        Context(context),
        None if boot == r"\N" else boot,
        unit or None,
        float(low) if low else None,
        float(high) if high else None,
        tuple(choices.split(",")) if choices else (),
    )


@functools.cache
def shipped() -> Mapping[str, SettingMeta]:
    """The settings that archiving touches, by name."""
    return {meta.name: meta for meta in map(_meta, _RELEVANT.strip("\n").split("\n"))}


@functools.cache
def _names() -> frozenset[str]:
    return frozenset(fold(name) for name in (*_OTHERS.split(), *shipped()))


def current_name(name: str, major: int | None = None) -> str:
    """The name in lower case, an old one replaced by what it is called now."""
    folded = fold(name)
    if folded == "ssl_ecdh_curve" and major is not None and major >= 18:
        return "ssl_groups"
    return _OLD_NAMES.get(folded, folded)


def is_known(name: str, major: int | None = None) -> bool:
    """Whether a server of that major version has the setting, None: whether any has.

    Custom `a.b` names always pass, and all names where the version is newer than any that is known.
    """
    if "." in name:
        return True
    now = current_name(name, major)
    if major is not None and major > NEWEST_MAJOR:
        return True
    if major is not None and not _ADDED.get(now, 0) <= major < _REMOVED.get(now, 1_000):
        return False
    return now in _names()


_BEFORE: Mapping[int, Mapping[str, Mapping[str, Any]]] = {
    14: {"checkpoint_completion_target": {"boot": "0.5"}, "password_encryption": {"boot": "md5"}},
    15: {"log_checkpoints": {"boot": "off"}, "wal_compression": {"vartype": VarType.BOOL, "choices": ()}},
}
"""What was otherwise before that version."""


@functools.cache
def shipped_to(major: int | None) -> Mapping[str, SettingMeta]:
    """Those of the shipped settings that a server of that version has, as it has them; None: all of them."""
    if major is None:
        return shipped()
    otherwise = {
        name: more for since, names in _BEFORE.items() if major < since for name, more in names.items()
    }
    return {
        name: replace(meta, **otherwise.get(name, {}))
        for name, meta in shipped().items()
        if is_known(name, major)
    }


class Catalogue:
    """What is known of a server's settings: its own pg_settings, or what is shipped.

    `exact` tells which: only a server's own catalogue has every name.
    """

    def __init__(self, own: Mapping[str, SettingMeta] | None = None, major: int | None = None) -> None:
        self.exact = own is not None
        self.major = major
        self._metas = (
            {fold(name): meta for name, meta in own.items()} if own is not None else shipped_to(major)
        )

    @property
    def names(self) -> Iterable[str]:
        """Every setting that is known with its type, in lower case."""
        return self._metas.keys() if self.exact else shipped_to(self.major).keys()

    def canonical_name(self, name: str) -> str:
        """The name under which the server keeps it."""
        return current_name(name, self.major)

    def meta(self, name: str) -> SettingMeta | None:
        """Its row, None where it is a custom setting or nothing is known."""
        return self._metas.get(self.canonical_name(name))

    def knows(self, name: str) -> bool:
        """Whether the server has it, as far as can be told."""
        if "." in name or self.canonical_name(name) in self._metas:
            return True
        return not self.exact and is_known(name, self.major)
