package dev.cowherd.cli;

/** File names that are none: QEMU takes what stands before a colon, ahead of any slash, for a protocol. */
final class BackingNames {
    private BackingNames() {}

    static boolean hasProtocol(String name) {
        int colon = name.indexOf(':');
        int slash = name.indexOf('/');
        return colon > 0 && (slash < 0 || colon < slash);
    }
}
