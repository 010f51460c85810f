-- The settings whose names are in :'names', separated by commas, as one JSON array in one row.
-- sourcefile and sourceline are null without pg_read_all_settings, and some settings are not there.
SELECT json_agg(
    json_build_object(
        'name', name,
        'value', coalesce(setting, ''),
        'unit', unit,
        'source', source,
        'sourcefile', sourcefile,
        'sourceline', sourceline,
        'pending_restart', pending_restart,
        'reset_value', coalesce(reset_val, '')
    )
    ORDER BY name
)::text AS settings
FROM pg_settings
WHERE name = ANY (string_to_array(:'names', ','))
