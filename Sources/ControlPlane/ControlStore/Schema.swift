import GRDB

/// The tables, as named migrations: appended to, never changed once released.
enum Schema {
    /// `PRAGMA application_id`: the letters WEIR.
    static let applicationID = 0x5745_4952

    static var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("0001 cluster, versions, audit", migrate: createVersions)
        migrator.registerMigration("0002 tokens, nodes, certificates", migrate: createNodes)
        migrator.registerMigration("0003 vault", migrate: createVault)
        migrator.registerMigration("0004 issued material", migrate: createIssued)
        migrator.registerMigration("0005 acme", migrate: createACME)
        migrator.registerMigration("0006 named secrets", migrate: createNamedSecrets)
        migrator.registerMigration("0007 adjustments", migrate: createAdjustments)
        return migrator
    }

    @Sendable private static func createNamedSecrets(_ db: Database) throws {
        try db.execute(
            sql: """
                -- Secrets that configurations name; their values are in the vault.
                CREATE TABLE named_secrets (
                    name TEXT PRIMARY KEY,
                    digest BLOB NOT NULL CHECK (length(digest) = 32),
                    created_ms INTEGER NOT NULL,
                    changed_ms INTEGER NOT NULL
                ) STRICT, WITHOUT ROWID;
                """
        )
    }

    @Sendable private static func createAdjustments(_ db: Database) throws {
        try db.execute(
            sql: """
                -- What operators want of endpoints beside the configuration: one row for each endpoint and aspect.
                -- A row that a version ended stays for a while, because nodes may serve the version before it.
                CREATE TABLE adjustments (
                    upstream TEXT NOT NULL,
                    endpoint TEXT NOT NULL,
                    aspect TEXT NOT NULL CHECK (aspect IN ('use', 'weight')),
                    action TEXT NOT NULL CHECK (action IN ('drain', 'disable', 'weight')),
                    weight INTEGER NOT NULL,
                    until_ms INTEGER,
                    settings BLOB NOT NULL CHECK (length(settings) = 32),
                    author TEXT NOT NULL,
                    created_ms INTEGER NOT NULL,
                    ended_version INTEGER,
                    ended_ms INTEGER,
                    PRIMARY KEY (upstream, endpoint, aspect)
                ) STRICT, WITHOUT ROWID;

                CREATE TABLE adjustments_state (
                    id INTEGER PRIMARY KEY CHECK (id = 1),
                    generation INTEGER NOT NULL
                ) STRICT;
                INSERT INTO adjustments_state (id, generation) VALUES (1, 1);
                """
        )
    }

    @Sendable private static func createACME(_ db: Database) throws {
        try db.execute(
            sql: """
                -- Accounts at authorities, and orders: by the digest of what they are for. Their keys are in the
                -- vault; the state is JSON of the code that orders.
                CREATE TABLE acme (
                    id BLOB PRIMARY KEY CHECK (length(id) = 32),
                    secret BLOB CHECK (length(secret) = 32),
                    state TEXT NOT NULL,
                    changed_ms INTEGER NOT NULL
                ) STRICT, WITHOUT ROWID;
                """
        )
    }

    @Sendable private static func createVersions(_ db: Database) throws {
        try db.execute(
            sql: """
                CREATE TABLE cluster (
                    id INTEGER PRIMARY KEY CHECK (id = 1),
                    cluster_id BLOB NOT NULL CHECK (length(cluster_id) = 16),
                    epoch INTEGER NOT NULL CHECK (epoch > 0),
                    key_check BLOB NOT NULL,
                    admin_token_digest BLOB CHECK (length(admin_token_digest) = 32),
                    created_ms INTEGER NOT NULL
                ) STRICT;

                -- Sealed with master.key, which is not in the database.
                CREATE TABLE secrets (
                    name TEXT PRIMARY KEY,
                    sealed BLOB NOT NULL,
                    created_ms INTEGER NOT NULL
                ) STRICT, WITHOUT ROWID;

                CREATE TABLE blobs (
                    digest BLOB PRIMARY KEY CHECK (length(digest) = 32),
                    content BLOB NOT NULL
                ) STRICT;

                CREATE TABLE manifests (
                    digest BLOB PRIMARY KEY CHECK (length(digest) = 32),
                    entries BLOB NOT NULL
                ) STRICT;

                CREATE TABLE versions (
                    number INTEGER PRIMARY KEY CHECK (number > 0),
                    digest BLOB NOT NULL REFERENCES manifests (digest),
                    parent INTEGER REFERENCES versions (number),
                    author TEXT NOT NULL,
                    message TEXT NOT NULL,
                    created_ms INTEGER NOT NULL
                ) STRICT;

                -- One per version, and one more for the head after a restore.
                CREATE TABLE signatures (
                    version INTEGER NOT NULL REFERENCES versions (number),
                    epoch INTEGER NOT NULL,
                    signature BLOB NOT NULL CHECK (length(signature) = 64),
                    PRIMARY KEY (version, epoch)
                ) STRICT, WITHOUT ROWID;

                CREATE TABLE audit (
                    id INTEGER PRIMARY KEY AUTOINCREMENT,
                    time_ms INTEGER NOT NULL,
                    author TEXT NOT NULL,
                    action TEXT NOT NULL,
                    subject TEXT NOT NULL,
                    detail TEXT NOT NULL,
                    request_id TEXT
                ) STRICT;

                CREATE TRIGGER versions_stay BEFORE UPDATE ON versions
                    BEGIN SELECT RAISE(ABORT, 'versions are immutable'); END;
                CREATE TRIGGER versions_are_kept BEFORE DELETE ON versions
                    BEGIN SELECT RAISE(ABORT, 'versions are immutable'); END;
                CREATE TRIGGER audit_stays BEFORE UPDATE ON audit
                    BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END;
                CREATE TRIGGER audit_is_kept BEFORE DELETE ON audit
                    BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END;
                """
        )
    }

    @Sendable private static func createNodes(_ db: Database) throws {
        try db.execute(
            sql: """
                CREATE TABLE tokens (
                    id TEXT PRIMARY KEY,
                    digest BLOB NOT NULL UNIQUE CHECK (length(digest) = 32),
                    labels TEXT NOT NULL,
                    author TEXT NOT NULL,
                    created_ms INTEGER NOT NULL,
                    expires_ms INTEGER NOT NULL,
                    used_by TEXT,
                    used_ms INTEGER,
                    used_key_digest BLOB CHECK (length(used_key_digest) = 32),
                    revoked_ms INTEGER
                ) STRICT;

                CREATE TABLE nodes (
                    name TEXT PRIMARY KEY,
                    node_id BLOB NOT NULL UNIQUE CHECK (length(node_id) = 16),
                    labels TEXT NOT NULL,
                    token_id TEXT NOT NULL REFERENCES tokens (id),
                    draining INTEGER NOT NULL DEFAULT 0,
                    revoked_ms INTEGER,
                    created_ms INTEGER NOT NULL,
                    seen_ms INTEGER,
                    fingerprint BLOB NOT NULL CHECK (length(fingerprint) = 32),
                    not_after INTEGER NOT NULL
                ) STRICT;

                -- Every certificate that has not ended, of removed nodes too: they must be refused.
                CREATE TABLE certificates (
                    fingerprint BLOB PRIMARY KEY CHECK (length(fingerprint) = 32),
                    node_name TEXT NOT NULL,
                    node_id BLOB NOT NULL,
                    serial BLOB NOT NULL,
                    not_after INTEGER NOT NULL,
                    revoked_ms INTEGER
                ) STRICT, WITHOUT ROWID;
                CREATE INDEX certificates_by_node ON certificates (node_id);
                CREATE INDEX certificates_by_end ON certificates (not_after);
                """
        )
    }

    @Sendable private static func createIssued(_ db: Database) throws {
        try db.execute(
            sql: """
                -- Which material a certificate has that the control plane makes itself: by its name and the
                -- digest of its content, so that a rollback finds again what it had.
                CREATE TABLE issued (
                    name TEXT NOT NULL,
                    resource BLOB NOT NULL CHECK (length(resource) = 32),
                    serve BLOB NOT NULL CHECK (length(serve) = 32),
                    next BLOB CHECK (length(next) = 32),
                    changed_ms INTEGER NOT NULL,
                    PRIMARY KEY (name, resource)
                ) STRICT, WITHOUT ROWID;
                """
        )
    }

    @Sendable private static func createVault(_ db: Database) throws {
        try db.execute(
            sql: """
                -- One row for each secret: its public part in the clear, its data key sealed with master.key,
                -- the secret sealed with the data key.
                CREATE TABLE vault (
                    digest BLOB PRIMARY KEY CHECK (length(digest) = 32),
                    kind TEXT NOT NULL,
                    public BLOB NOT NULL,
                    wrapped_key BLOB NOT NULL,
                    sealed BLOB NOT NULL,
                    created_ms INTEGER NOT NULL,
                    stored_ms INTEGER NOT NULL
                ) STRICT, WITHOUT ROWID;
                """
        )
    }
}
