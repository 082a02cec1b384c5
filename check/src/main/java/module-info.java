/** Checks images by itself, on format and storage only: a second opinion that shares no mapping code. */
module dev.cowherd.check {
    requires static transitive org.jspecify;
    requires transitive dev.cowherd.format;
    requires transitive dev.cowherd.storage;

    exports dev.cowherd.check;
}
