package dev.cowherd.storage.linux;

/** What a name in the file system stands for. */
public enum FileKind {
    /** A file with bytes of its own. */
    REGULAR("a file"),
    /** A disk, partition, logical volume or loop device. */
    BLOCK_DEVICE("a block device"),
    /** A folder. */
    DIRECTORY("a directory"),
    /** A terminal, tape, random source and the like. */
    CHARACTER_DEVICE("a character device"),
    /** A named pipe. */
    FIFO("a named pipe"),
    /** A socket. */
    SOCKET("a socket"),
    /** What this program has no word for. */
    UNKNOWN("no kind of file known here");

    private final String words;

    FileKind(String words) {
        this.words = words;
    }

    /** The kind with its article, for messages. */
    public String words() {
        return words;
    }

    /** Whether it holds bytes at offsets. */
    public boolean holdsBytes() {
        return this == REGULAR || this == BLOCK_DEVICE;
    }
}
