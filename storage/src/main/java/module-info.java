/** Host bytes: positional I/O on files and devices, image locks, filters. */
module dev.cowherd.storage {
    requires static transitive org.jspecify;

    exports dev.cowherd.storage;
    exports dev.cowherd.storage.fiber;
    exports dev.cowherd.storage.filter;
    exports dev.cowherd.storage.ring;
}
