package import AdminMessages
package import FoundationEssentials

/// Join tokens, without their secrets.
package struct TokenReport: Sendable {
    private let tokens: [TokenAnswer]

    /// A report on `tokens`, in their order.
    package init(_ tokens: [TokenAnswer]) {
        self.tokens = tokens
    }

    /// A row per token.
    package func rendered(_ palette: Palette, now: Date) -> [String] {
        if tokens.isEmpty {
            return ["no tokens"]
        }
        var table = Table([
            .init("ID"), .init("STATE"), .init("EXPIRES"), .init("CREATED"), .init("LABELS"),
            .init("USED BY"),
        ])
        for token in tokens {
            table.append([
                .init(token.id, .strong), .init(token.state),
                .init(timeText(token.expiresAt, now: now)),
                .init(timeText(token.createdAt, now: now)), .init(labelText(token.labels)),
                .init(token.usedBy ?? ""),
            ])
        }
        return table.rendered(palette)
    }

    /// An array of `id, state, expiresAt, createdAt, labels, usedBy`.
    package var value: OutputValue {
        .array(
            tokens.map { token in
                [
                    "id": .string(token.id), "state": .string(token.state),
                    "expiresAt": .string(token.expiresAt), "createdAt": .string(token.createdAt),
                    "labels": .object(token.labels.mapValues { .string($0) }),
                    "usedBy": OutputValue(token.usedBy),
                ]
            }
        )
    }
}

/// Who did what.
package struct AuditReport: Sendable {
    private let records: [AuditAnswer]

    /// A report on `records`, in their order.
    package init(_ records: [AuditAnswer]) {
        self.records = records
    }

    /// A row per record.
    package func rendered(_ palette: Palette, now: Date) -> [String] {
        if records.isEmpty {
            return ["no records"]
        }
        var table = Table([
            .init("ID", leansRight: true), .init("TIME"), .init("WHO"), .init("ACTION"),
            .init("TARGET"), .init("DETAIL"),
        ])
        for record in records {
            table.append([
                .init(String(record.id), .faint), .init(timeText(record.time, now: now)),
                .init(record.actor), .init(record.action, .strong), .init(record.target),
                .init(record.detail),
            ])
        }
        return table.rendered(palette)
    }

    /// An array of `id, time, actor, action, target, detail`.
    package var value: OutputValue {
        .array(
            records.map { record in
                [
                    "id": OutputValue(record.id as UInt64?), "time": .string(record.time),
                    "actor": .string(record.actor), "action": .string(record.action),
                    "target": .string(record.target), "detail": .string(record.detail),
                ]
            }
        )
    }
}

/// Named secrets, without their values.
package struct SecretReport: Sendable {
    private let secrets: [SecretAnswer]

    /// A report on `secrets`, in their order.
    package init(_ secrets: [SecretAnswer]) {
        self.secrets = secrets
    }

    /// A row per secret.
    package func rendered(_ palette: Palette, now: Date) -> [String] {
        if secrets.isEmpty {
            return ["no secrets"]
        }
        var table = Table([
            .init("NAME"), .init("CHANGED"), .init("CREATED"), .init("DIGEST"), .init("USED BY"),
        ])
        for secret in secrets {
            let more = secret.uses.count > 3 ? " and \(secret.uses.count - 3) more" : ""
            table.append([
                .init(secret.name, .strong), .init(timeText(secret.changedAt, now: now)),
                .init(timeText(secret.createdAt, now: now)),
                .init(shortDigest(secret.digest), .faint),
                .init(secret.uses.prefix(3).joined(separator: ", ") + more),
            ])
        }
        return table.rendered(palette)
    }

    /// An array of `name, digest, createdAt, changedAt, uses`.
    package var value: OutputValue {
        .array(
            secrets.map { secret in
                [
                    "name": .string(secret.name), "digest": .string(secret.digest),
                    "createdAt": .string(secret.createdAt), "changedAt": .string(secret.changedAt),
                    "uses": .array(secret.uses.map { .string($0) }),
                ]
            }
        )
    }
}
