//! The tables as Diesel sees them, in the order of their names. Kept beside `migrations/`; a test
//! compares the two.

diesel::table! {
    accepted_licenses (license_id, mirrored) {
        license_id -> Uuid,
        mirrored -> Bool,
        accepted_by -> Text,
        accepted_at -> Timestamptz,
    }
}

diesel::table! {
    accounts (id) {
        id -> Int8,
        name -> Text,
        name_folded -> Text,
        password_hash -> Text,
        role -> Text,
        disabled -> Bool,
        created_at -> Timestamptz,
        last_seen_at -> Nullable<Timestamptz>,
        theme -> Nullable<Text>,
        time_zone -> Nullable<Text>,
        failures_seen_id -> Int8,
    }
}

diesel::table! {
    api_tokens (id) {
        id -> Int8,
        account_id -> Int8,
        name -> Text,
        role -> Text,
        token_hash -> Bytea,
        created_at -> Timestamptz,
        ends_at -> Timestamptz,
        last_used_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    approval_changes (id) {
        id -> Int8,
        at -> Timestamptz,
        actor -> Text,
        deed -> Text,
        reason -> Text,
        updates -> Array<Uuid>,
        before -> Jsonb,
        stamp -> Int8,
        undone -> Bool,
    }
}

diesel::table! {
    approval_rules (one) {
        one -> Bool,
        version -> Int8,
        detect -> Bool,
        detect_classifications -> Array<Uuid>,
        detect_groups -> Array<Uuid>,
        install -> Bool,
        install_classifications -> Array<Uuid>,
        install_groups -> Array<Uuid>,
        latest_revision -> Bool,
    }
}

diesel::table! {
    approvals (approval_id) {
        approval_id -> Uuid,
        update_id -> Uuid,
        revision_number -> Int4,
        group_id -> Uuid,
        action -> Int2,
        deadline -> Nullable<Timestamptz>,
        approved_by -> Text,
        approved_at -> Timestamptz,
        stamp -> Int8,
        mirrored -> Bool,
    }
}

diesel::table! {
    audit (id) {
        id -> Int8,
        at -> Timestamptz,
        actor -> Text,
        account_id -> Nullable<Int8>,
        peer -> Text,
        action -> Text,
        object -> Text,
        before -> Nullable<Jsonb>,
        after -> Nullable<Jsonb>,
        request_id -> Text,
    }
}

diesel::table! {
    content_checks (id) {
        id -> Int8,
        kind -> Text,
        requested_by -> Text,
        requested_at -> Timestamptz,
        confirmed -> Bool,
        started_at -> Nullable<Timestamptz>,
        finished_at -> Nullable<Timestamptz>,
        total -> Int8,
        done -> Int8,
        bytes -> Int8,
        damaged -> Int8,
        missing -> Int8,
        adopted -> Int8,
        removed -> Int8,
        error -> Text,
    }
}

diesel::table! {
    content_files (file_row) {
        file_row -> Int4,
        state -> Text,
        run_id -> Nullable<Int8>,
        attempts -> Int4,
        next_try -> Timestamptz,
        last_error -> Text,
        stored_at -> Nullable<Timestamptz>,
        restarted_at -> Nullable<Timestamptz>,
        begun_at -> Nullable<Timestamptz>,
        begun_bytes -> Int8,
    }
}

diesel::table! {
    content_limits (one) {
        one -> Bool,
        version -> Int8,
        rate_bytes -> Int8,
        other_hours -> Bool,
        other_from -> Text,
        other_until -> Text,
        other_rate_bytes -> Int8,
        workers -> Int4,
        per_host -> Int4,
        reserve_bytes -> Nullable<Int8>,
    }
}

diesel::table! {
    declined_updates (update_id, mirrored) {
        update_id -> Uuid,
        mirrored -> Bool,
        declined_by -> Text,
        declined_at -> Timestamptz,
    }
}

diesel::table! {
    documents (revision_row) {
        revision_row -> Int4,
        encoding -> Int2,
        body -> Bytea,
    }
}

diesel::table! {
    downstream_servers (server_id) {
        server_id -> Uuid,
        name -> Text,
        first_seen_at -> Timestamptz,
        last_seen_at -> Timestamptz,
        protocol -> Text,
    }
}

diesel::table! {
    files (id) {
        id -> Int4,
        sha1 -> Bytea,
        sha256 -> Nullable<Bytea>,
        size -> Int8,
        name -> Text,
        patching -> Text,
        mu_url -> Text,
    }
}

diesel::table! {
    instances (id) {
        id -> Uuid,
        lock_key -> Int8,
        name -> Text,
        version -> Text,
        started_at -> Timestamptz,
        heartbeat_at -> Timestamptz,
        roles -> Text,
    }
}

diesel::table! {
    jobs (id) {
        id -> Int8,
        kind -> Text,
        dedup_key -> Text,
        args -> Jsonb,
        state -> Text,
        run_after -> Timestamptz,
        attempts -> Int4,
        fence -> Int8,
        owner -> Nullable<Uuid>,
        lease_until -> Nullable<Timestamptz>,
        last_error -> Text,
        created_at -> Timestamptz,
        started_at -> Nullable<Timestamptz>,
        finished_at -> Nullable<Timestamptz>,
        cancel_requested -> Bool,
    }
}

diesel::table! {
    option_drafts (id) {
        id -> Uuid,
        account_id -> Int8,
        typed -> Jsonb,
        updated_at -> Timestamptz,
    }
}

diesel::table! {
    owed_revisions (source_id, update_id, revision_number) {
        source_id -> Int8,
        update_id -> Uuid,
        revision_number -> Int4,
        reason -> Text,
        attempts -> Int4,
        since -> Timestamptz,
    }
}

diesel::table! {
    password_links (account_id) {
        account_id -> Int8,
        token_hash -> Bytea,
        made_by -> Text,
        ends_at -> Timestamptz,
    }
}

diesel::table! {
    product_visits (account_id) {
        account_id -> Int8,
        last_at -> Timestamptz,
        before_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    publications (id) {
        id -> Int8,
        run_id -> Nullable<Int8>,
        stamp -> Nullable<Int8>,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    relations (revision_row, kind, group_number, target_row) {
        revision_row -> Int4,
        kind -> Int2,
        group_number -> Int2,
        target_row -> Int4,
        target_revision -> Nullable<Int4>,
    }
}

diesel::table! {
    revision_files (revision_row, file_row) {
        revision_row -> Int4,
        file_row -> Int4,
    }
}

diesel::table! {
    revisions (id) {
        id -> Int4,
        update_row -> Int4,
        revision_number -> Int4,
        publication_id -> Int8,
        kind -> Int2,
        approvable -> Bool,
        expired -> Bool,
        severity -> Int2,
        category_type -> Nullable<Text>,
        title -> Text,
        description -> Text,
        kb -> Text,
        bulletin -> Text,
        created -> Timestamptz,
        details -> Jsonb,
    }
}

diesel::table! {
    run_calls (run_id, at) {
        run_id -> Int8,
        at -> Timestamptz,
        operation -> Text,
        duration_ms -> Int8,
        bytes -> Int8,
        outcome -> Text,
    }
}

diesel::table! {
    run_hosts (run_id, host, port, tls, proxy) {
        run_id -> Int8,
        host -> Text,
        port -> Int4,
        tls -> Bool,
        proxy -> Text,
        requests -> Int8,
        bytes -> Int8,
    }
}

diesel::table! {
    run_log (run_id, at) {
        run_id -> Int8,
        at -> Timestamptz,
        level -> Text,
        message -> Text,
    }
}

diesel::table! {
    saved_views (account_id, name) {
        account_id -> Int8,
        name -> Text,
        query -> Text,
    }
}

diesel::table! {
    schedule_due (one) {
        one -> Bool,
        due_at -> Nullable<Timestamptz>,
        options_version -> Int8,
        moment -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    schedule_moments (moment, attempt) {
        moment -> Timestamptz,
        attempt -> Int2,
        due_at -> Timestamptz,
        outcome -> Text,
        run_id -> Nullable<Int8>,
        decided_at -> Timestamptz,
    }
}

diesel::table! {
    schema_floor (one) {
        one -> Bool,
        oldest_program -> Text,
    }
}

diesel::table! {
    selected_categories (category_id) {
        category_id -> Uuid,
        kind -> Text,
        with_descendants -> Bool,
    }
}

diesel::table! {
    server_identity (one) {
        one -> Bool,
        server_id -> Uuid,
        key_fingerprint -> Nullable<Bytea>,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    sessions (token_hash) {
        token_hash -> Bytea,
        account_id -> Int8,
        csrf_secret -> Bytea,
        created_at -> Timestamptz,
        last_used_at -> Timestamptz,
        peer -> Text,
        user_agent -> Text,
        failed_count -> Int4,
        failed_first_at -> Nullable<Timestamptz>,
        failed_last_at -> Nullable<Timestamptz>,
        failed_last_peer -> Text,
    }
}

diesel::table! {
    sources (id) {
        id -> Int8,
        kind -> Text,
        host -> Text,
        port -> Int4,
        ssl -> Bool,
        config_anchor -> Nullable<Text>,
        category_anchor -> Nullable<Text>,
        update_anchor -> Nullable<Text>,
        products -> Array<Uuid>,
        classifications -> Array<Uuid>,
        languages -> Array<Int4>,
        facts -> Jsonb,
        deployment_anchor -> Nullable<Text>,
    }
}

diesel::table! {
    sync_options (one) {
        one -> Bool,
        version -> Int8,
        saved_at -> Timestamptz,
        saved_by -> Text,
        schedule_mode -> Text,
        schedule_time -> Text,
        schedule_per_day -> Int4,
        schedule_time_zone -> Text,
        source_kind -> Text,
        source_server -> Text,
        source_port -> Int4,
        source_ssl -> Bool,
        source_ca -> Text,
        source_content_port -> Nullable<Int4>,
        replica -> Bool,
        proxy_enabled -> Bool,
        proxy_server -> Text,
        proxy_port -> Int4,
        proxy_credentials -> Bool,
        proxy_user -> Text,
        proxy_domain -> Text,
        proxy_password -> Nullable<Bytea>,
        proxy_basic -> Bool,
        files_store -> Text,
        files_deferred -> Bool,
        files_express -> Bool,
        files_languages -> Text,
        files_from_microsoft -> Bool,
    }
}

diesel::table! {
    sync_request_keys (key) {
        key -> Uuid,
        run_id -> Int8,
    }
}

diesel::table! {
    sync_runs (id) {
        id -> Int8,
        state -> Text,
        trigger -> Text,
        started_by -> Text,
        requested_at -> Timestamptz,
        started_at -> Nullable<Timestamptz>,
        finished_at -> Nullable<Timestamptz>,
        source_id -> Nullable<Int8>,
        source_name -> Text,
        phase -> Text,
        done -> Int8,
        total -> Nullable<Int8>,
        new -> Int8,
        revised -> Int8,
        expired -> Int8,
        revisions -> Int8,
        failed -> Int8,
        files -> Int8,
        bytes -> Int8,
        error -> Nullable<Jsonb>,
        notices -> Jsonb,
        settings -> Jsonb,
        continues -> Nullable<Int8>,
        rate -> Nullable<Float8>,
        calls -> Int8,
        received -> Int8,
        categories_only -> Bool,
    }
}

diesel::table! {
    target_groups (group_id) {
        group_id -> Uuid,
        parent_id -> Nullable<Uuid>,
        name -> Text,
        builtin -> Bool,
        mirrored -> Bool,
    }
}

diesel::table! {
    unpublished_revisions (revision_row) {
        revision_row -> Int4,
        kind -> Int2,
    }
}

diesel::table! {
    update_categories (update_row, category_row) {
        update_row -> Int4,
        category_row -> Int4,
    }
}

diesel::table! {
    update_changes (stamp, update_row, change) {
        stamp -> Int8,
        update_row -> Int4,
        change -> Int2,
        run_id -> Nullable<Int8>,
    }
}

diesel::table! {
    update_ids (id) {
        id -> Int4,
        update_id -> Uuid,
    }
}

diesel::table! {
    update_search (update_row) {
        update_row -> Int4,
        search -> Text,
        categories -> Array<Int4>,
    }
}

diesel::table! {
    updates (update_row) {
        update_row -> Int4,
        update_id -> Uuid,
        revision_row -> Int4,
        revision_number -> Int4,
        changed_stamp -> Int8,
        first_run_id -> Nullable<Int8>,
        last_run_id -> Nullable<Int8>,
        arrived_at -> Timestamptz,
        kind -> Int2,
        approvable -> Bool,
        expired -> Bool,
        superseded -> Bool,
        severity -> Int2,
        category_type -> Nullable<Text>,
        title -> Text,
        kb -> Text,
        bulletin -> Text,
        created -> Timestamptz,
    }
}

diesel::table! {
    withdrawn_approvals (approval_id) {
        approval_id -> Uuid,
        stamp -> Int8,
        mirrored -> Bool,
    }
}

diesel::allow_tables_to_appear_in_same_query!(
    accepted_licenses,
    accounts,
    api_tokens,
    approval_changes,
    approval_rules,
    approvals,
    audit,
    content_checks,
    content_files,
    content_limits,
    declined_updates,
    documents,
    downstream_servers,
    files,
    instances,
    jobs,
    option_drafts,
    owed_revisions,
    password_links,
    product_visits,
    publications,
    relations,
    revision_files,
    revisions,
    run_hosts,
    run_log,
    saved_views,
    schedule_due,
    schedule_moments,
    schema_floor,
    selected_categories,
    server_identity,
    sessions,
    sources,
    sync_options,
    sync_request_keys,
    sync_runs,
    target_groups,
    unpublished_revisions,
    update_categories,
    update_changes,
    update_ids,
    update_search,
    updates,
    withdrawn_approvals,
);
