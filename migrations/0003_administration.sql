-- 0003: key rotation, idempotency keys, schedules and labels of experiments.
--
-- Why: the administrative side of the API needs them.
-- Deploy: safe while the previous version serves (new columns with defaults, a new table; it tells nobody of the keys'
-- last use, and so do the new triggers).
-- Undo: DROP TABLE idempotency_keys;
--   ALTER TABLE api_keys DROP COLUMN previous_lookup_hash, DROP COLUMN previous_valid_until;
--   ALTER TABLE experiments DROP COLUMN description, DROP COLUMN owner, DROP COLUMN tags, DROP COLUMN start_at,
--     DROP COLUMN stop_at; and the triggers of 0001.

ALTER TABLE api_keys
  ADD COLUMN previous_lookup_hash bytea UNIQUE,
  ADD COLUMN previous_valid_until timestamptz;
COMMENT ON COLUMN api_keys.previous_lookup_hash IS 'Of the secret before the last rotation, in force until previous_valid_until.';

-- The last use of a key is no change that anybody waits for.
DROP TRIGGER tell_catalogue ON api_keys;
CREATE TRIGGER tell_catalogue
  AFTER INSERT OR UPDATE OF revoked_at, lookup_hash, previous_lookup_hash, previous_valid_until ON api_keys
  FOR EACH ROW EXECUTE FUNCTION tell_catalogue();

CREATE FUNCTION tell_catalogue_of_removal() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_notify('catalogue', TG_TABLE_NAME || ':' || OLD.id);
  RETURN NULL;
END $$;
CREATE TRIGGER tell_catalogue_of_removal AFTER DELETE ON environments FOR EACH ROW
  EXECUTE FUNCTION tell_catalogue_of_removal();

CREATE TABLE idempotency_keys (
  api_key_id uuid NOT NULL,
  key text COLLATE "C" NOT NULL,
  id uuid NOT NULL,
  fingerprint bytea NOT NULL,
  leased_until timestamptz NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  status bigint,
  headers jsonb,
  content_type text,
  body bytea,
  PRIMARY KEY (api_key_id, key)
);
COMMENT ON TABLE idempotency_keys IS 'First answers to POST requests with an Idempotency-Key, for 24 hours.';
COMMENT ON COLUMN idempotency_keys.id IS
  'The id of the audit line of what was done: written in its transaction, it keeps a second attempt from committing.';
COMMENT ON COLUMN idempotency_keys.status IS 'NULL: the request is being answered, or whoever did has ended.';
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);

ALTER TABLE experiments
  ADD COLUMN description text NOT NULL DEFAULT '',
  ADD COLUMN owner text,
  ADD COLUMN tags text[] COLLATE "C" NOT NULL DEFAULT '{}',
  ADD COLUMN start_at timestamptz,
  ADD COLUMN stop_at timestamptz;
COMMENT ON COLUMN experiments.start_at IS 'A draft is started at this time; kept afterwards as what was planned.';
CREATE INDEX experiments_to_start ON experiments (start_at) WHERE status = 'draft' AND start_at IS NOT NULL;
CREATE INDEX experiments_to_stop ON experiments (stop_at) WHERE status = 'running' AND stop_at IS NOT NULL;
CREATE INDEX experiments_by_tag ON experiments USING gin (tags);
