-- So long a proxy may be silent by its own configuration, microseconds: it says that it lives by that, and whoever takes others for
-- dead waits for the longer of the two. 0: its release does not say.
ALTER TABLE proxies ADD COLUMN dead_after BIGINT NOT NULL DEFAULT 0 CHECK (dead_after >= 0);
