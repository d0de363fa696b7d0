import ACME
import ControlStore
import Cryptography
import FleetModel

/// Accounts that an authority knows already (RFC 8555 §7.3.4), by a named secret.
extension ACMESource {
    /// The key to bind an account with; nil where the configuration names none.
    ///
    /// - Throws: `OrderFailure` when the secret is not kept, or is no key; what the store throws.
    func accountBinding(from store: any ConfigStore) async throws -> ACMEBinding? {
        guard let binding else { return nil }
        guard let secret = try await store.namedSecret(binding.secret) else {
            throw OrderFailure.secretMissing(binding.secret)
        }
        let key = secret.withOctets { octets -> SecretBytes? in
            // Authorities show it with and without padding, and some in the other alphabet.
            let text = String(decoding: octets, as: UTF8.self).filter { !$0.isWhitespace }
            guard var decoded = decodeBase64URL(text.prefix { $0 != "=" }) ?? decodeBase64(text),
                !decoded.isEmpty
            else { return nil }
            return SecretBytes(taking: &decoded)
        }
        guard let key else { throw OrderFailure.secretUnfit(binding.secret) }
        return ACMEBinding(keyID: binding.keyID, secret: key)
    }

    /// Where to look when an authority refuses to register an account; empty for other failures.
    func bindingHint(_ error: any Error) -> String {
        guard case .refused? = error as? ACMEError, let binding else { return "" }
        return
            " (is the secret \(binding.secret) the key of acme.eab that the authority calls "
            + "\(binding.keyID)?)"
    }
}
