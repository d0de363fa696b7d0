internal import EventLoop
internal import SystemCalls

/// A worker's part in handing its sockets over, and in being handed them.
extension Worker {
    /// Another descriptor of each of its sockets, by listener.
    ///
    /// - Throws: `SystemCallError` when descriptors have run out.
    func duplicateSockets() throws(SystemCallError) -> [String: DescriptorBundle] {
        var sockets: [String: DescriptorBundle] = [:]
        for port in ports {
            guard let descriptor = try port.duplicateSocket() else { continue }
            let bundle = sockets[port.name] ?? DescriptorBundle()
            bundle.add(descriptor)
            sockets[port.name] = bundle
        }
        return sockets
    }

    /// Accepts nothing, for now.
    func holdPorts() {
        for port in ports { port.hold() }
    }

    /// Accepts again.
    func resumePorts() {
        for port in ports { port.goOn() }
    }

    /// Begins to accept on what it was handed.
    func openHeldPorts() {
        holdsNewPorts = false
        for port in ports { open(port) }
    }

    /// Leaves sockets to another process, and ends connections as `drain` does.
    ///
    /// - Parameters:
    ///   - names: The listeners that the other process serves; the sockets of others are closed.
    ///   - completion: Called when no connection is left.
    func releasePorts(_ names: Set<String>, _ completion: @escaping () -> Void) {
        beginDraining(completion)
        for port in ports {
            if names.contains(port.name) {
                ports.removeAll { $0 === port }
                port.release()
            } else {
                port.goOn()
                close(port)
            }
        }
        checkDrained()
    }
}
