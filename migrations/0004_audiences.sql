-- 0004: audiences of experiments, and segments that they name.
--
-- Why: an experiment may be for some units only; what several experiments ask of a unit has one name.
-- Deploy: safe while the previous version serves (a new nullable column and new tables, which it ignores). It assigns
-- every unit, whatever its audience, so that none should be given before all processes have this version.
-- Undo: DROP FUNCTION keep_audience_segments CASCADE;
--   DROP TABLE audience_segments, segments; ALTER TABLE experiments DROP COLUMN audience;

CREATE TABLE segments (
  id uuid PRIMARY KEY,
  workspace_id uuid NOT NULL REFERENCES workspaces,
  key text COLLATE "C" NOT NULL,
  name text NOT NULL,
  audience json NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT segments_key UNIQUE (workspace_id, key)
);
COMMENT ON COLUMN segments.audience IS 'An audience expression as given, byte for byte.';

ALTER TABLE experiments ADD COLUMN audience json;
COMMENT ON COLUMN experiments.audience IS 'An audience expression as given, byte for byte; NULL admits everybody.';

-- Which segments the audience of an experiment names: they may neither go nor change their key.
CREATE TABLE audience_segments (
  experiment_id uuid NOT NULL REFERENCES experiments ON DELETE CASCADE,
  workspace_id uuid NOT NULL,
  segment_key text COLLATE "C" NOT NULL,
  PRIMARY KEY (experiment_id, segment_key),
  FOREIGN KEY (workspace_id, segment_key) REFERENCES segments (workspace_id, key)
);
CREATE INDEX audience_segments_of_segment ON audience_segments (workspace_id, segment_key);

CREATE FUNCTION keep_audience_segments() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM audience_segments WHERE experiment_id = NEW.id;
  INSERT INTO audience_segments (experiment_id, workspace_id, segment_key)
  SELECT DISTINCT NEW.id, NEW.workspace_id, name #>> '{}'
  FROM jsonb_path_query(NEW.audience::jsonb, 'strict $.**.segment') AS name;
  RETURN NULL;
END $$;
CREATE TRIGGER keep_audience_segments_of_new AFTER INSERT ON experiments
  FOR EACH ROW WHEN (NEW.audience IS NOT NULL) EXECUTE FUNCTION keep_audience_segments();
CREATE TRIGGER keep_audience_segments AFTER UPDATE OF audience ON experiments
  FOR EACH ROW WHEN (NEW.audience::text IS DISTINCT FROM OLD.audience::text)
  EXECUTE FUNCTION keep_audience_segments();

CREATE TRIGGER tell_catalogue AFTER INSERT OR UPDATE ON segments FOR EACH ROW EXECUTE FUNCTION tell_catalogue();
