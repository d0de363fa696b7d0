internal import EventLoop
internal import SystemCalls

/// How a socket goes to another process that has a descriptor of it too: its queue is both processes' and stays.
///
///     accepting ──hold()──▶ held ──release()──▶ gone from here
///         ◀──goOn()────────────┘
extension ListeningPort {
    /// Another descriptor of the socket, or `nil` when there is none left.
    func duplicateSocket() throws(SystemCallError) -> FileDescriptor? {
        guard let number = socket?.number else { return nil }
        return try duplicate(number)
    }

    /// Accepts nothing until `goOn`: what comes waits in the queue.
    func hold() {
        guard !isHeld, !isClosing, let number = socket?.number else { return }
        isHeld = true
        worker.loop.unregister(registration, descriptor: number)
        registration = worker.loop.register(self)
    }

    /// Accepts again.
    func goOn() {
        guard isHeld else { return }
        isHeld = false
        acceptAgain()
    }

    /// Leaves the socket with its queue to another port of the worker, which serves another kind of connection from now
    /// on; what this one has accepted goes on with the version that it has, until the drain timeout.
    ///
    /// It is not a member of the worker's ports any more.
    ///
    /// - Returns: The other one, which is to be opened; `nil` without a socket.
    func succeed(by tables: WorkerTables, _ table: ListenerTable) -> ListeningPort? {
        guard let number = socket?.number, let socket = socket.take() else { return nil }
        worker.loop.unregister(registration, descriptor: number)
        isClosing = true
        self.tables.useCount += 1
        leaveSocket()
        return ListeningPort(
            worker: worker,
            name: name,
            tables: tables,
            table: table,
            count: count,
            clients: clients,
            socket: socket
        )
    }

    /// Leaves the socket with its queue to the other process; what it has accepted here has until the drain timeout.
    ///
    /// It is not a member of the worker's ports any more.
    func release() {
        guard !isClosing else { return }
        isClosing = true
        tables.useCount += 1
        leaveSocket()
    }
}
