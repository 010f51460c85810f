-- Every setting this role may see, and what ALTER DATABASE and ALTER ROLE set. One row; no privilege is
-- needed, but without pg_read_all_settings some settings and all files and lines are missing.
-- pg_file_settings is not read here: reading it would set pending_restart in this very session.
SELECT
    (
        SELECT json_agg(
            json_build_array(
                name, setting, unit, vartype, context, min_val, max_val, enumvals, boot_val,
                source, sourcefile, sourceline, pending_restart,
                CASE WHEN setting = '(disabled)' THEN reset_val END
            )
            ORDER BY name
        )::text
        FROM pg_settings
    ) AS settings,
    (
        SELECT json_agg(
            json_build_array(coalesce(d.datname, ''), coalesce(r.rolname, ''), one.assignment)
            ORDER BY s.setdatabase <> 0 AND s.setrole <> 0, s.setrole <> 0, d.datname, r.rolname, one.place
        )::text
        FROM pg_db_role_setting AS s
        LEFT JOIN pg_database AS d ON d.oid = s.setdatabase
        LEFT JOIN pg_roles AS r ON r.oid = s.setrole
        CROSS JOIN LATERAL unnest(s.setconfig) WITH ORDINALITY AS one (assignment, place)
    ) AS role_settings,
    extract(epoch FROM pg_conf_load_time())::float8 AS loaded_at,
    current_setting('server_version_num')::integer AS version_num
