/// The rule for names: of resources, and of nodes.
package enum ResourceName {
    /// Says what is wrong with a name.
    ///
    /// - Parameter text: `[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?` when it is one.
    /// - Returns: One clause for people, or `nil` when nothing is.
    package static func fault(in text: String) -> String? {
        do throws(Complaint) {
            _ = try Texts.name(text)
            return nil
        } catch {
            return error.message
        }
    }
}
